import Domain
import Store
import Support
import Testing

@testable import Appliance

/// Somebody with an authenticator app.
struct AppHolder: Sendable {
    let server: TestServer
    let person: TestServer.Person
    let secret: [UInt8]
    var recoveryCodes: [String] = []

    /// Signs up, and turns one-time codes on unless told not to.
    static func enrol(
        _ server: TestServer, _ known: TestServer.Person? = nil, confirms: Bool = true
    ) async throws -> AppHolder {
        let person = if let known { known } else { try await server.person() }
        let begun = try await server.post("/me/totp", .object([]), person.token)
        let text = try #require(begun.json["secret"]?.text, "\(begun.text)")
        var holder = AppHolder(server: server, person: person, secret: try decoded(text))
        guard confirms else { return holder }
        let answer = try await holder.confirm(holder.code())
        holder.recoveryCodes = answer.json["recovery_codes"]?.elements.compactMap(\.text) ?? []
        #expect(holder.recoveryCodes.count == 10, "\(answer.text)")
        return holder
    }

    private static func decoded(_ text: String) throws -> [UInt8] {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let bits = try text.flatMap { digit in
            let value = try #require(digits.firstIndex(of: digit))
            return (0..<5).map { value >> (4 - $0) & 1 }
        }
        return stride(from: 0, to: bits.count - 7, by: 8).map { start in
            bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | UInt8($1) }
        }
    }

    /// What the app shows that many steps from now.
    func code(_ steps: Int64 = 0) throws -> String {
        let step = TOTP.step(at: server.clock.now) + steps
        return try #require(TOTP.code(of: step, mac: TOTP.mac(secret)))
    }

    /// Six digits that are right at no time near now.
    func wrongCode() throws -> String {
        let right = try (-2...2).map { try code(Int64($0)) }
        return try #require((0..<6).map { "00000\($0)" }.first { !right.contains($0) })
    }

    func confirm(_ code: String) async throws -> TestAnswer {
        try await server.post(
            "/me/totp/confirm", .object([JSON.Member("code", .string(code))]), person.token)
    }

    func login(
        _ otp: String?, password: String = TestServer.password
    ) async throws -> TestAnswer {
        let members = [
            JSON.Member("email", .string(person.email)),
            JSON.Member("password", .string(password)),
            otp.map { JSON.Member("otp", .string($0)) },
        ]
        return try await server.post("/auth/login", .object(members.compactMap { $0 }))
    }

    /// What the audit log has about them, the newest first.
    func actions() async throws -> [String] {
        let target = "user:\(person.id)"
        return try await server.appliance.store.read { db throws(Problem) in
            var filter = AuditLog.Filter()
            filter.target = target
            return try db.audit.list(filter, before: nil, limit: 200).map(\.action)
        }
    }

    func mails(about subject: String) async throws -> Int {
        try await server.mails(to: "\(person.email)").count { $0.contains("Subject: \(subject)") }
    }
}
