import Domain
import Glibc
import Synchronization

/// Who else may have a store while a process has it.
package enum PostgresHold: Sendable, Equatable {
    /// Nobody.
    case alone
    /// The other nodes of an installation, each under its own name. Who serves nothing, such as a
    /// command from a shell, has none.
    case shared(NodeName?)
}

/// A process's hold on a store, as `InstallationLock` is on a file: counters and caches live in a
/// process's memory, so a second one beside it would count past limits and let revoked keys in.
/// Nodes that are made to run beside each other share it, and keep those out that want to be alone.
///
/// It is an advisory lock of a transaction that stays open: the server frees it when the connection
/// ends, however the process did, and a pooler that lends servers for a transaction lends this one
/// for good. An idle transaction that has written nothing and has no snapshot holds up neither
/// vacuum nor anybody else.
///
/// A thread waits on the connection. When it ends, the store takes no write until the hold is back;
/// when somebody else has it by then, it never will, and `lost` is set. The thread may hear of it
/// late, so whoever takes the hold writes a name into the store as well, and each transaction that
/// writes looks in its turn whether the name is still its own. Nodes write one name for all.
final class PostgresClaim: Sendable {
    /// Milliseconds between two tries.
    private static let pause: Int32 = 200

    /// "GATF" beside the "GATE" of turns, and the schema.
    private static let lockKeys: SQL = """
        1195463750,
        coalesce(CAST(CAST(to_regnamespace(quote_ident(current_schema())) AS oid) AS int4), 0)
        """

    /// The store, and the node's name in it ("GATN"): a copy of a data directory has it too, and
    /// both would fold under one mark.
    private static func lock(_ hold: PostgresHold) -> SQL {
        switch hold {
        case .alone: "SELECT pg_try_advisory_xact_lock(\(lockKeys)), true"
        case .shared(nil): "SELECT pg_try_advisory_xact_lock_shared(\(lockKeys)), true"
        case .shared(let node?):
            """
            SELECT pg_try_advisory_xact_lock_shared(\(lockKeys)), pg_try_advisory_xact_lock(
                1195463758, hashtext(current_schema() || '.' || \(node.description)))
            """
        }
    }

    private static let settings = """
        SELECT set_config('idle_in_transaction_session_timeout', '0', true), \
        set_config('tcp_keepalives_idle', '5', true), \
        set_config('tcp_keepalives_interval', '3', true), \
        set_config('tcp_keepalives_count', '3', true)
        """

    /// Who has the store, by name.
    static let holder: SQL = "SELECT value FROM installation WHERE name = 'held_by'"

    private let hold: PostgresHold
    /// This process, or all nodes.
    let name: String
    private static let nodes = "nodes"
    private let held = Atomic(true)
    /// What is written into it ends the thread.
    private let end: (reading: Int32, writing: Int32)
    let lost = Wake()

    init(_ hold: PostgresHold) throws(StoreRefusal) {
        self.hold = hold
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .unsuitable("The system has no file descriptors left for the store.")
        }
        for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        end = (ends[0], ends[1])
        var random = SystemRandomNumberGenerator()
        name =
            hold == .alone ? String(random.next() as UInt64, radix: 16) : Self.nodes
    }

    /// Writes the name into the store, whose schema is there by now.
    func enter(_ connection: PostgresConnection) throws(PostgresError) {
        _ = try connection.beginWriting()
        try connection.run(
            """
            INSERT INTO installation (name, value) VALUES ('held_by', \(name))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """)
        try connection.commit()
    }

    deinit {
        close(end.reading)
        close(end.writing)
    }

    /// Whether this process may write.
    var isHeld: Bool { held.load(ordering: .acquiring) }

    /// - Returns: a connection to `keep` it with.
    /// - Throws: `inUse`, `unreachable`.
    func connection(_ options: PostgresOptions) throws(StoreRefusal) -> PostgresConnection {
        let connection: PostgresConnection
        let taking: Taking
        do throws(PostgresError) {
            connection = try PostgresConnection(options)
            taking = try take(connection)
        } catch {
            throw .unreachable("\(options.place) cannot be used: \(error.message)")
        }
        switch taking {
        case .taken: return connection
        case .inUse:
            throw .inUse(
                "The store, \(options.place), is in use by another process of Gatehouse"
                    + (hold == .alone ? "." : ", which shares it with nobody."))
        case .isRunning:
            throw .inUse(
                "This node is running already. Where the data directory is a copy of another "
                    + "node's, remove the file `node` in the copy.")
        }
    }

    private enum Taking {
        case taken
        /// By who is not to be beside us.
        case inUse
        /// Another process has the node's name.
        case isRunning
    }

    private func take(_ connection: PostgresConnection) throws(PostgresError) -> Taking {
        connection.putOff("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
        connection.putOff(Self.settings)
        let result = try connection.run(Self.lock(hold))
        guard result.text(0) == "t" else { return .inUse }
        return result.text(1) == "t" ? .taken : .isRunning
    }

    /// The thread's body: returns when told to let go, or when it is lost for good.
    func keep(_ first: PostgresConnection, _ link: PostgresLink) {
        var holding: PostgresConnection? = first
        while let connection = holding {
            guard connection.waitForEnd(or: end.reading) else { return connection.rollBack() }
            held.store(false, ordering: .releasing)
            holding = takeBack(link)
        }
    }

    /// Nil when told to let go, or when another process has it.
    private func takeBack(_ link: PostgresLink) -> PostgresConnection? {
        var refusedSince: ContinuousClock.Instant?
        while !isToldToLetGo() {
            do throws(PostgresError) {
                let connection = try link.connection()
                if try take(connection) == .taken {
                    // Who had it meanwhile has counted on from what this process does not know.
                    guard try connection.text(Self.holder) == name else {
                        lost.set()
                        return nil
                    }
                    held.store(true, ordering: .releasing)
                    return connection
                }
                connection.rollBack()
                let since = refusedSince ?? .now
                refusedSince = since
                guard ContinuousClock.now - since < link.options.timeouts.claim else {
                    lost.set()
                    return nil
                }
            } catch {
                // The server is away; it is tried again.
            }
        }
        return nil
    }

    private func isToldToLetGo() -> Bool {
        var told = pollfd(fd: end.reading, events: Int16(POLLIN), revents: 0)
        return poll(&told, 1, Self.pause) > 0
    }

    func letGo() { write(end.writing, [1], 1) }
}
