import Domain
import HTTPTypes

extension Appliance {
    var secondFactorRoutes: [Route] {
        [
            Route(.post, "/api/v1/me/totp", .user, .enrolTotp, creates: true) {
                call throws(Problem) in
                var form = try await call.optionalForm()
                try form.finish()
                let enrolment = try await self.beginTOTP(
                    of: try call.signedIn(), from: call.origin, at: call.now
                ) { enrolment, db throws(Problem) in try call.keep(Self.answer(enrolment), db) }
                return Self.answer(enrolment)
            },
            Route(.post, "/api/v1/me/totp/confirm", .user, .confirmTotp, creates: true) {
                call throws(Problem) in
                var form = try await call.form()
                let code = form.required("code") { form, value in form.totpCode("code", value) }
                let typed = try form.finish(code)
                let codes = try await self.confirmTOTP(
                    typed, of: try call.signedIn(), from: call.origin, at: call.now
                ) { codes, db throws(Problem) in try call.keep(Self.answer(codes), db) }
                return Self.answer(codes)
            },
            Route(.delete, "/api/v1/me/totp", .user, .removeTotp) { call throws(Problem) in
                var form = try await call.form()
                let current = form.password("current_password")
                let password = try form.finish(current)
                let caller = try call.signedIn()
                _ = try await self.confirm(password, of: caller, at: call.now)
                _ = try await self.removeTOTP(
                    of: caller.userID, by: caller.actor, from: call.origin, at: call.now)
                return .noContent
            },
        ]
    }

    private static func answer(_ enrolment: Enrolment) -> Answer {
        .json { $0.write(enrolment, as: Shapes.enrolment) }
    }

    private static func answer(_ codes: [RecoveryCode]) -> Answer {
        .json { $0.write(codes, as: Shapes.recoveryCodes) }
    }
}

extension Shapes {
    static let enrolment = Shape<Appliance.Enrolment>(
        "TotpEnrolment",
        [
            .member("secret", .string(example: "JBSWY3DPEHPK3PXP")) { $0.secret },
            .member("otpauth_uri", .string(format: "uri", example: "otpauth://totp/Gatehouse:ann"))
            { $0.uri },
        ])

    static let recoveryCodes = Shape<[RecoveryCode]>(
        "RecoveryCodes", [.member("recovery_codes") { $0.map(\.text) }])
}

extension Form {
    fileprivate mutating func totpCode(_ name: String, _ value: JSON) -> String? {
        guard case .string(let text) = value, case .totp(let code)? = OneTimeCode(typed: text)
        else {
            refuse(name, "invalid", "Expected the \(TOTP.digitCount) digits that the app shows.")
            return nil
        }
        return code
    }
}
