import Domain
import Logging
import Store

/// What is read of Redis, and what its failures mean.
extension SharedCustomers {
    /// The epoch that can be asked now.
    func usableEpoch() throws(Problem) -> String {
        guard let server = redis.server else { throw Self.away }
        // Until this node has entered the epoch, what it counts would not belong to any.
        guard let name = epoch.name(on: server) else { throw Self.begins }
        return name
    }

    /// Nil: Redis does not have the customer.
    func loaded(
        _ user: UserID, in epoch: String, after known: Seen?
    ) async throws(Problem) -> Seen? {
        let state: CustomerMemory.State?
        do throws(RedisFailure) {
            state = try await memory.load(user, in: epoch)
        } catch {
            throw problem(error)
        }
        return try state.map { state throws(Problem) in
            try seen(state, in: epoch, after: known)
        }
    }

    /// A state of Redis as a customer; the one that is known already is not read again.
    func seen(
        _ state: CustomerMemory.State, in epoch: String, after known: Seen?
    ) throws(Problem) -> Seen {
        if let known, known.epoch == epoch, known.version == state.version { return known }
        var customer = Customer(standing: nil)
        guard customer.adopt(state.bytes) else {
            // Of another version of this program, or damaged: it is nobody's to overwrite.
            var problem = Self.away
            problem.cause = "a customer's state in Redis cannot be read"
            throw problem
        }
        return Seen(epoch: epoch, version: state.version, customer: customer)
    }

    /// How a customer came to be in Redis.
    enum Origin: Sendable {
        case found
        /// With all that the store had a moment ago.
        case loadedHere
        /// With all that the store had at some moment.
        case loadedElsewhere
    }

    /// The newest state; a customer who is not in Redis is loaded into it from the store.
    func fetch(
        _ user: UserID, in epoch: String, after known: Seen?
    ) async throws(Problem) -> (Seen, Origin) {
        if let seen = try await loaded(user, in: epoch, after: known) { return (seen, .found) }
        // Neither what other nodes nor what this one has counted may be missing in the store.
        guard self.epoch.isOpen(epoch), places.isFolded(user) else {
            throw Self.begins
        }
        guard let customer = try await stored.find(user, at: clock.now) else {
            throw Authenticator.refused
        }
        let bytes = customer.shared()
        let state: CustomerMemory.State
        do throws(RedisFailure) {
            state = try await memory.create(user, bytes, in: epoch)
        } catch {
            throw problem(error)
        }
        let origin = state.bytes == bytes ? Origin.loadedHere : .loadedElsewhere
        return (try seen(state, in: epoch, after: nil), origin)
    }

    // MARK: Failures

    static let away: Problem = unavailable("What nodes share of the limits cannot be reached.")
    static let begins: Problem = unavailable("What nodes share of the limits is being loaded.")
    static let outrun = Problem.overloaded("This customer's state", retryAfter: .seconds(1))

    private static func unavailable(_ detail: String) -> Problem {
        var problem = Problem(.unavailable, detail)
        problem.retryAfter = .seconds(1)
        return problem
    }

    func problem(_ failure: RedisFailure) -> Problem {
        switch failure {
        case .away: return Self.away
        case .otherServer:
            epoch.doubt()
            return Self.begins
        case .refused(let reason):
            var problem = Self.away
            problem.cause = "Redis refused: \(reason)"
            return problem
        }
    }
}
