import CArgon2
import CLinux
import Domain
import Glibc
import Store

/// argon2id (RFC 9106) on a few threads of its own behind a bounded queue.
///
/// One hash takes about 20 ms of a core and 19 MiB, so it may run neither on an event loop nor
/// without a bound: what does not fit into the queue is told to come back (security P7). The
/// threads step back for the others, so that sign-ins never slow down the gate.
package final class PasswordHasher: Sendable {
    package struct Cost: Sendable, Equatable {
        package let memoryKiB: UInt32
        package let iterations: UInt32

        package init(memoryKiB: UInt32, iterations: UInt32) {
            self.memoryKiB = memoryKiB
            self.iterations = iterations
        }

        /// OWASP's least for argon2id: 19 MiB, two passes, one lane (security P1).
        package static let standard = Cost(memoryKiB: 19_456, iterations: 2)
    }

    /// Longer passwords are refused before any work is done for them (security P8).
    package static let bytesMax = 1024
    private static let saltBytes = 16
    private static let hashBytes = 32
    /// How far the hashing threads step back: their load is the only one that can wait.
    private static let niceness: Int32 = 5

    private let cost: Cost
    private let workers: WorkerPool
    /// Verified when there is no account, so that an unknown address costs the same time (E2).
    private let decoy: String

    package init(cost: Cost, threads: Int, queue: Int) throws(StoreRefusal) {
        self.cost = cost
        workers = try WorkerPool(
            name: "argon2", threads: threads, queue: queue,
            start: { gatehouse_nice_thread(Self.niceness) })
        let zeros = String(repeating: "A", count: 22)
        decoy =
            "$argon2id$v=19$m=\(cost.memoryKiB),t=\(cost.iterations),p=1$\(zeros)$"
            + String(repeating: "A", count: 43)
    }

    package func close() { workers.close() }

    /// Passwords that no thread has taken yet, and how many were turned away since the start.
    var waiting: Int { workers.waiting }
    var refused: Int { workers.refused }

    /// A PHC string for a password in NFC.
    package func hash(_ password: Secret) async throws(Problem) -> String {
        let cost = cost
        return try await run { Self.encoded(password, cost: cost) }
    }

    /// Whether the password is the one that `phc` was made from; against nil it takes as long and
    /// is false.
    package func verify(_ password: Secret, against phc: String?) async throws(Problem) -> Bool {
        let known = phc ?? decoy
        let matches = try await run { Self.matches(password, known) }
        return matches && phc != nil
    }

    /// True when a hash was made with other costs than today's (security P2).
    package func isOutdated(_ phc: String) -> Bool {
        !phc.hasPrefix("$argon2id$v=19$m=\(cost.memoryKiB),t=\(cost.iterations),p=1$")
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value?
    ) async throws(Problem) -> Value {
        switch await workers.run(body) {
        case .done(.some(let value)): return value
        case .done(nil): throw .internal(cause: "argon2 failed")
        case .full: throw .overloaded("Sign-in", retryAfter: .seconds(1))
        }
    }

    private static func encoded(_ password: Secret, cost: Cost) -> String? {
        var random = SystemRandomNumberGenerator()
        let salt = (0..<saltBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let bytes = Array(password.text.utf8)
        var text = [CChar](repeating: 0, count: 256)
        let code = argon2id_hash_encoded(
            cost.iterations, cost.memoryKiB, 1, bytes, bytes.count, salt, salt.count, hashBytes,
            &text, text.count)
        guard code == ARGON2_OK.rawValue else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func matches(_ password: Secret, _ phc: String) -> Bool? {
        let bytes = Array(password.text.utf8)
        let code = argon2id_verify(phc, bytes, bytes.count)
        switch code {
        case ARGON2_OK.rawValue: return true
        case ARGON2_VERIFY_MISMATCH.rawValue: return false
        default: return nil
        }
    }
}

/// A text that must never be shown: printing, logging and interpolating it give `••`.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "••" }
    package var debugDescription: String { "••" }
}

extension Secret: Equatable {
    package static func == (a: Secret, b: Secret) -> Bool { ConstantTime.areEqual(a.text, b.text) }
}
