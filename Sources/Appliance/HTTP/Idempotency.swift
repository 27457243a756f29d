import Crypto
import Domain
import HTTPTypes
import NIOCore
import Store
import Synchronization

/// `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a call that creates something
/// can be made again when its answer was lost, and creates it once.
///
/// The answer is written in the transaction that creates: there is no moment in which one is there
/// without the other. It may have a secret in it that is shown once, so its body is sealed with a
/// key made of the client's own: the store alone, which has only a hash of that, opens nothing.
struct IdempotencyTicket: Sendable {
    let owner: String
    let keyHash: [UInt8]
    private let fingerprint: [UInt8]
    private let sealing: SymmetricKey

    /// Characters of a key: a UUID has 36.
    static let keyMax = 255

    init(key: String, owner: String, call: Call, body: [UInt8]) throws(Problem) {
        guard (1...Self.keyMax).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw .invalid(
                "Idempotency-Key", "invalid", "From 1 to \(Self.keyMax) visible characters.")
        }
        self.owner = owner
        keyHash = Array(SHA256.hash(data: Array(key.utf8)))
        var request = SHA256()
        for part in [call.request.method.rawValue, call.request.uri.description] {
            request.update(data: Array(part.utf8) + [0])
        }
        request.update(data: body)
        fingerprint = Array(request.finalize())
        sealing = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Array(key.utf8)), salt: Array(owner.utf8),
            info: Array("gatehouse idempotency body".utf8), outputByteCount: 32)
    }

    /// The headers of an answer that are sent again.
    private static let kept: [HTTPField.Name] = [.contentType, .location]

    /// For the transaction that creates.
    func keep(_ answer: Answer, _ db: any Connection, at now: Timestamp) throws(Problem) {
        let headers = Self.kept.compactMap { name in
            answer.headers[name].map { JSON.Member(name.canonicalName, .string($0)) }
        }
        let entry = IdempotencyKeys.Entry(
            owner: owner, keyHash: keyHash, fingerprint: fingerprint,
            status: answer.status.code, headers: .object(headers),
            sealedBody: try seal(Array(buffer: answer.body)), createdAt: now)
        // Nobody else runs with this key here; on another node somebody may.
        guard
            try db.idempotencyKeys.insert(entry, unlessNewerThan: now - IdempotencyKeys.kept)
        else { throw Self.inProgress }
    }

    static let inProgress = Problem(
        .idempotencyInProgress, "The first request with this Idempotency-Key is still running.")

    func replay(_ entry: IdempotencyKeys.Entry) throws(Problem) -> Answer {
        guard ConstantTime.areEqual(entry.fingerprint, fingerprint) else {
            throw Problem(
                .idempotencyMismatch, "This Idempotency-Key was used for another request.")
        }
        var answer = Answer(
            .init(code: entry.status), body: ByteBuffer(bytes: try open(entry.sealedBody)))
        for name in Self.kept {
            if case .string(let value)? = entry.headers[name.canonicalName] {
                answer.headers[name] = value
            }
        }
        return answer.with(.idempotentReplayed, "true")
    }

    private func seal(_ body: [UInt8]) throws(Problem) -> [UInt8] {
        do {
            guard let sealed = try AES.GCM.seal(body, using: sealing).combined else { return [] }
            return Array(sealed)
        } catch {
            throw .internal(cause: "an answer could not be sealed: \(error)")
        }
    }

    private func open(_ sealed: [UInt8]) throws(Problem) -> [UInt8] {
        do {
            return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: sealing))
        } catch {
            throw .internal(cause: "a kept answer could not be opened: \(error)")
        }
    }
}

/// The keyed calls that are running in this process: as many as there are requests in flight. Of
/// those that run on several nodes one creates, by the primary key of `idempotency_keys`.
final class IdempotencyRuns: Sendable {
    private struct Run: Hashable {
        let owner: String
        let keyHash: [UInt8]
    }

    private let running = Mutex<Set<Run>>([])

    /// False when one with this key is running.
    func begin(_ ticket: IdempotencyTicket) -> Bool {
        running.withLock { $0.insert(Self.run(ticket)).inserted }
    }

    func end(_ ticket: IdempotencyTicket) {
        running.withLock { _ = $0.remove(Self.run(ticket)) }
    }

    private static func run(_ ticket: IdempotencyTicket) -> Run {
        Run(owner: ticket.owner, keyHash: ticket.keyHash)
    }
}

extension Appliance {
    /// A route's answer, or the one that the same keyed request got before.
    func answer(_ call: Call) async throws(Problem) -> Answer {
        guard call.route.creates, let key = call.request.headers[.idempotencyKey] else {
            return try await call.route.handler(call)
        }
        var call = call
        let body = try await call.body()
        let ticket = try IdempotencyTicket(
            key: key, owner: Self.owner(of: call), call: call, body: body)
        guard idempotencyRuns.begin(ticket) else { throw IdempotencyTicket.inProgress }
        defer { idempotencyRuns.end(ticket) }
        if let kept = try await kept(ticket, at: call.now) { return try ticket.replay(kept) }
        call.received = body
        call.ticket = ticket
        do throws(Problem) {
            return try await call.route.handler(call)
        } catch {
            // The same call, to another node at the same time, may be what this one ran into.
            guard cluster != nil, let kept = try await kept(ticket, at: call.now) else {
                throw error
            }
            return try ticket.replay(kept)
        }
    }

    private func kept(
        _ ticket: IdempotencyTicket, at now: Timestamp
    ) async throws(Problem) -> IdempotencyKeys.Entry? {
        let oldest = now - IdempotencyKeys.kept
        return try await store.read { db throws(Problem) in
            try db.idempotencyKeys.find(
                owner: ticket.owner, keyHash: ticket.keyHash, newerThan: oldest)
        }
    }

    private static func owner(of call: Call) -> String {
        if let caller = call.caller { return idempotencyOwner(caller.userID) }
        return "address:" + (call.address?.throttleKey ?? "")
    }

    static func idempotencyOwner(_ user: UserID) -> String { "user:\(user)" }
}
