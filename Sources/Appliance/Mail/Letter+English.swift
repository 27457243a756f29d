import Domain

extension Letter {
    /// - Parameters:
    ///   - publicURL: `server.public_url`, and nothing that a request claims: every link begins so
    ///     (security R1). Tokens stand behind the `#`, so that they are in no server's log.
    ///   - service: how the sender of the mail is called.
    ///   - moment: when it happened.
    init(
        _ occasion: Occasion, in language: Language = .english, publicURL: String,
        service: String, at moment: Timestamp
    ) {
        switch language {
        case .english:
            self = EnglishWords(publicURL: publicURL, service: service, moment: moment)
                .letter(occasion)
        }
    }
}

/// All that letters say, in English. Another language is another file with the same shape.
private struct EnglishWords {
    let publicURL: String
    let service: String
    let moment: Timestamp

    func letter(_ occasion: Occasion) -> Letter {
        switch occasion {
        case .verification(let token): verification(link("verify-email", token))
        case .addressTaken: addressTaken
        case .reset(let token): reset(link("reset-password", token))
        case .invitation(let token, let days): invitation(link("reset-password", token), days)
        case .passwordChanged: passwordChanged
        case .addressChanged(let address): addressChanged(to: address)
        case .newDevice(let signIn): newDevice(signIn)
        case .tokenReused: tokenReused
        case .secondFactorOn: secondFactorOn
        case .secondFactorOff: secondFactorOff
        case .recoveryCodeUsed(let left): recoveryCodeUsed(left: left)
        case .quotaNear(let use): quotaNear(use)
        case .quotaReached(let use): quotaReached(use)
        }
    }

    private func letter(_ subject: String, _ parts: [Letter.Part]) -> Letter {
        Letter(
            language: .english, subject: subject, parts: parts,
            footer: "\(service) sent this mail because of your account at \(publicURL). "
                + "Nobody reads answers to it.")
    }

    private func link(_ page: String, _ token: Secret) -> String {
        "\(publicURL)/\(page)#token=\(token.text)"
    }

    // MARK: Links

    private func verification(_ link: String) -> Letter {
        letter(
            "Verify your e-mail address",
            [
                .paragraph(
                    "Somebody, hopefully you, gave this address at \(service). "
                        + "Open this link within an hour to verify it:"),
                .action(label: "Verify this address", url: link),
                .paragraph("If it was not you, ignore this mail."),
            ])
    }

    private func reset(_ link: String) -> Letter {
        letter(
            "Set a new password",
            [
                .paragraph(
                    "Somebody, hopefully you, asked for a new password at \(service). "
                        + "Open this link within an hour to set it:"),
                .action(label: "Set a new password", url: link),
                .paragraph("If it was not you, ignore this mail: nothing has changed."),
            ])
    }

    private func invitation(_ link: String, _ days: Int64) -> Letter {
        letter(
            "An account was made for you",
            [
                .paragraph(
                    "An administrator of \(service) made an account with this address. "
                        + "Open this link within \(days == 1 ? "a day" : "\(days) days") to "
                        + "choose a password:"),
                .action(label: "Choose a password", url: link),
                .paragraph(
                    "If it is too late for that, ask for a new password with this address at "
                        + "\(publicURL). If you expected no account, ignore this mail."),
            ])
    }

    private var addressTaken: Letter {
        letter(
            "You have an account already",
            [
                .paragraph(
                    "Somebody, hopefully you, tried to sign up at \(service) with this "
                        + "address, which has an account. Sign in, or set a new password:"),
                .action(label: "Sign in", url: publicURL + "/"),
                .paragraph("If it was not you, ignore this mail."),
            ])
    }

    // MARK: Notices

    private var passwordChanged: Letter {
        notice(
            "Your password was changed",
            "The password of your account at \(service) was changed, and other devices were "
                + "signed out.")
    }

    private func addressChanged(to address: EmailAddress) -> Letter {
        notice(
            "Your e-mail address was changed",
            "Your account at \(service) now has another e-mail address. Mails go there from "
                + "now on; this one is the last to come here.",
            [Letter.Fact("New address", Self.masked(address))])
    }

    private func newDevice(_ signIn: Occasion.SignIn) -> Letter {
        notice(
            "New sign-in to your account",
            "Your account at \(service) was signed in to from a device or a network that it "
                + "was not used from in the last 90 days.",
            [
                Letter.Fact("Device", Self.name(of: signIn.device)),
                Letter.Fact("Address", signIn.address ?? "unknown"),
            ])
    }

    private var tokenReused: Letter {
        notice(
            "A device was signed out for safety",
            "A refresh token of your account at \(service) was used twice, which happens when "
                + "it was copied. The session that it belonged to was ended.")
    }

    private var secondFactorOn: Letter {
        notice(
            "Two-step sign-in is on",
            "From now on, signing in to your account at \(service) needs a code from your "
                + "authenticator app. Keep your recovery codes in a safe place.")
    }

    private var secondFactorOff: Letter {
        notice(
            "Two-step sign-in is off",
            "Signing in to your account at \(service) needs the password alone again.")
    }

    private func recoveryCodeUsed(left: Int64) -> Letter {
        notice(
            "A recovery code was used",
            "Your account at \(service) was signed in to with a recovery code in place of a "
                + "code from your authenticator app.",
            [Letter.Fact("Codes left", Self.number(left))])
    }

    /// What happened to an account, and what to do if it was not its owner.
    private func notice(_ subject: String, _ what: String, _ facts: [Letter.Fact] = []) -> Letter {
        letter(
            subject,
            [
                .paragraph(what),
                .facts([Letter.Fact("When", Self.time(moment))] + facts),
                .paragraph(
                    "If it was you, there is nothing to do. If not, set a new password at once, "
                        + "which signs out every device:"),
                .action(label: "Secure your account", url: publicURL + "/"),
            ])
    }

    // MARK: Quotas

    private func quotaNear(_ use: QuotaUse) -> Letter {
        quota(
            "80 % of your \(Self.words(use.metric)) for \(Self.period(use)) used", use,
            "Your account at \(service) has used 80 % of what its plan allows.",
            use.allowsOverage
                ? "Past the limit, use goes on and is counted as overage."
                : "Past the limit, requests are refused until the count begins anew.")
    }

    private func quotaReached(_ use: QuotaUse) -> Letter {
        quota(
            "All of your \(Self.words(use.metric)) for \(Self.period(use)) used", use,
            "Your account at \(service) has used all of what its plan allows.",
            use.allowsOverage
                ? "Use goes on; what is past the limit is counted as overage."
                : "Further requests are refused until the count begins anew.")
    }

    private func quota(
        _ subject: String, _ use: QuotaUse, _ what: String, _ then: String
    ) -> Letter {
        letter(
            subject,
            [
                .paragraph(what),
                .facts([
                    Letter.Fact("What", Self.words(use.metric)),
                    Letter.Fact("Used", Self.number(use.used)),
                    Letter.Fact("Limit", "\(Self.number(use.bound)) a \(use.window.rawValue)"),
                    Letter.Fact("Begins anew", Self.time(use.resetsAt)),
                ]),
                .paragraph(then + " A larger plan holds from the next request on."),
                .action(label: "See your usage", url: publicURL + "/"),
            ])
    }

    // MARK: Words for values

    private static func words(_ metric: String) -> String {
        String(metric.map { $0 == "_" ? " " : $0 })
    }

    private static func period(_ use: QuotaUse) -> String {
        switch use.window {
        case .month: "this month"
        case .day: "today"
        case .hour: "this hour"
        }
    }

    /// `3 Nov 2026, 16:40 UTC`.
    private static func time(_ moment: Timestamp) -> String {
        let words = CalendarText.date(moment).split(separator: " ")
        guard words.count == 5 else { return moment.description }
        let day = words[1].drop { $0 == "0" }
        return "\(day) \(words[2]) \(words[3]), \(words[4].prefix(5)) UTC"
    }

    /// `1,234,567`.
    private static func number(_ value: Int64) -> String {
        let digits = Array(String(value))
        return digits.indices.reduce(into: "") { text, index in
            let left = digits.count - index
            if index > 0, left % 3 == 0, digits[index - 1] != "-" { text += "," }
            text.append(digits[index])
        }
    }

    /// Enough for its owner to know it, and no gift to whoever reads the old mailbox.
    private static func masked(_ address: EmailAddress) -> String {
        let parts = address.description.split(separator: "@", maxSplits: 1)
        guard parts.count == 2, let first = parts[0].first else { return "•••" }
        return "\(first)•••@\(parts[1])"
    }

    private static func name(of device: Device) -> String {
        switch (device.program, device.system) {
        case (nil, nil): "unknown"
        case (let program?, nil): program
        case (nil, let system?): "a program on \(system)"
        case (let program?, let system?): "\(program) on \(system)"
        }
    }
}
