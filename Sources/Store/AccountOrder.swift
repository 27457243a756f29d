import Domain

extension Accounts {
    /// What a list runs by, as the API spells it.
    package enum Order: String, CaseIterable, Sendable {
        case newest = "-created_at"
        case oldest = "created_at"
        case email = "email"
        case emailDown = "-email"

        /// Rows behind that position, which is an id or an address.
        func condition(_ position: String?) -> SQL {
            switch self {
            case .newest: "u.id < \(position ?? "g")"
            case .oldest: "u.id > \(position ?? "")"
            case .email: "u.email > \(position ?? "")"
            // An address is ASCII without control characters; this is above all of them.
            case .emailDown: "u.email < \(position ?? "\u{7F}")"
            }
        }

        var clause: SQL {
            switch self {
            case .newest: "u.id DESC"
            case .oldest: "u.id"
            case .email: "u.email"
            case .emailDown: "u.email DESC"
            }
        }

        package func position(of account: Account) -> String {
            switch self {
            case .newest, .oldest: account.id.description
            case .email, .emailDown: account.email.description
            }
        }
    }
}
