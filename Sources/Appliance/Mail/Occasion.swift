import Domain

/// What a letter is about, with everything that it shows. Nothing in it is a stranger's own words:
/// a name that somebody chose, or what a browser says of itself, would let them write to others in
/// our name. Addresses are held to `EmailAddress`, metrics and devices to a few known words.
enum Occasion: Sendable, Equatable {
    case verification(token: Secret)
    /// Somebody tried to sign up with the address of an account (security E4).
    case addressTaken
    case reset(token: Secret)
    /// An account was made for the reader, who has yet to choose a password within so many days.
    case invitation(token: Secret, days: Int64)
    case passwordChanged
    /// For the old address.
    case addressChanged(to: EmailAddress)
    case newDevice(SignIn)
    case tokenReused
    case secondFactorOn
    case secondFactorOff
    case recoveryCodeUsed(left: Int64)
    /// 80 % of a quota is used.
    case quotaNear(QuotaUse)
    /// All of a quota is used.
    case quotaReached(QuotaUse)

    struct SignIn: Sendable, Equatable {
        let device: Device
        /// The client's address, where it is known.
        let address: String?
    }

    /// The token of its link, where it has one.
    var token: Secret? {
        switch self {
        case .verification(let token), .reset(let token), .invitation(let token, _): token
        case .addressTaken, .passwordChanged, .addressChanged, .newDevice, .tokenReused,
            .secondFactorOn, .secondFactorOff, .recoveryCodeUsed, .quotaNear, .quotaReached:
            nil
        }
    }
}
