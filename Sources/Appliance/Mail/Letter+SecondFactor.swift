import Domain

extension Letter {
    static func secondFactorOn(publicURL: String) -> Letter {
        Letter(
            subject: "Two-step sign-in is on",
            text: """
                Signing in to your account now asks for a code from your authenticator app.
                Keep the recovery codes where you find them without it.
                If it was not you, set a new password and tell your administrator:

                \(publicURL)/
                """)
    }

    static func secondFactorOff(publicURL: String) -> Letter {
        Letter(
            subject: "Two-step sign-in is off",
            text: """
                Signing in to your account asks for your password alone from now on.
                If it was not you, set a new password at once and turn it on again:

                \(publicURL)/
                """)
    }

    static func recoveryCodeUsed(publicURL: String, left: Int64) -> Letter {
        Letter(
            subject: "A recovery code was used",
            text: """
                Somebody, hopefully you, signed in to your account with a recovery code.
                Codes that are left: \(left). To get ten new ones, turn two-step sign-in off and on.
                If it was not you, set a new password at once:

                \(publicURL)/
                """)
    }
}
