import Domain

/// A mail as it is written. Links come from `server.public_url` alone (security R1), and their
/// token stands behind the `#`, so that it is in no server's log. Nothing in a letter comes from a
/// stranger, so there is nothing to escape.
struct Letter: Sendable {
    let subject: String
    let text: String

    static func verification(publicURL: String, token: Secret) -> Letter {
        Letter(
            subject: "Verify your e-mail address",
            text: """
                Somebody, hopefully you, signed up with this address.
                Open this link within an hour to verify it:

                \(publicURL)/verify-email#token=\(token.text)

                If it was not you, ignore this mail.
                """)
    }

    static func addressTaken(publicURL: String) -> Letter {
        Letter(
            subject: "You have an account already",
            text: """
                Somebody, hopefully you, tried to sign up with this address, which has an account.
                Sign in, or set a new password, at:

                \(publicURL)/
                """)
    }

    static func reset(publicURL: String, token: Secret) -> Letter {
        Letter(
            subject: "Set a new password",
            text: """
                Somebody, hopefully you, asked for a new password.
                Open this link within an hour to set it:

                \(publicURL)/reset-password#token=\(token.text)

                If it was not you, ignore this mail: nothing has changed.
                """)
    }

    static func invitation(publicURL: String, token: Secret, days: Int64) -> Letter {
        Letter(
            subject: "You have an account",
            text: """
                An administrator has made an account for you at \(publicURL).
                Open this link within \(days == 1 ? "a day" : "\(days) days") to choose a password:

                \(publicURL)/reset-password#token=\(token.text)

                If you did not expect it, ignore this mail: nobody can sign in until you do.
                """)
    }

    static func passwordChanged(publicURL: String) -> Letter {
        Letter(
            subject: "Your password was changed",
            text: """
                Your password was changed, and all other devices were signed out.
                If it was not you, set a new password at once:

                \(publicURL)/
                """)
    }

    static func tokenReused(publicURL: String) -> Letter {
        Letter(
            subject: "A device was signed out for safety",
            text: """
                A refresh token of your account was used twice, which happens when it was copied.
                The session it belonged to was ended. If you do not know why, change your password:

                \(publicURL)/
                """)
    }
}
