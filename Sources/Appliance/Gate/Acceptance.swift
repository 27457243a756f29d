/// That a customer's state has taken a change. What follows from the change names it: a state that
/// several nodes share may have begun anew meanwhile.
struct Acceptance: Sendable {
    /// Nil: the state is this process's own, and ends with it.
    let epoch: String?

    static let own = Acceptance(epoch: nil)
}
