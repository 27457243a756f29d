import Domain

extension Appliance {
    /// For a call that gives power over the appliance away, or takes from somebody what they have
    /// (security D4): a session somebody walked away from, or a token that leaked, must not do it.
    /// To revoke somebody's sessions is no such call: they sign in again, and it may be urgent.
    ///
    /// Throws `forbidden` with `max_age`, in seconds, when the session began longer ago: sign in
    /// again and repeat. A key passes, because it was given `admin:write` by somebody who had just
    /// signed in, and nobody sits at it who could sign in.
    func demandRecentSignIn(_ caller: Caller, at now: Timestamp) throws(Problem) {
        let age = configuration.auth.recentSignIn
        guard age > .zero, let signedInAt = caller.signedInAt, now - signedInAt > age else {
            return
        }
        var problem = Problem(
            .forbidden, "This needs a sign-in that is more recent; sign in again and repeat.")
        problem.members = [JSON.Member("max_age", .integer(age.wholeMilliseconds / 1000))]
        throw problem
    }
}
