import Domain
import Glibc
import Synchronization

/// One process's hold on a store, as `InstallationLock` is on a file: counters and caches live in a
/// process's memory, so a second one beside it would count past limits and let revoked keys in.
///
/// It is an advisory lock of a transaction that stays open: the server frees it when the connection
/// ends, however the process did, and a pooler that lends servers for a transaction lends this one
/// for good. An idle transaction that has written nothing and has no snapshot holds up neither
/// vacuum nor anybody else.
///
/// A thread waits on the connection. When it ends, the store takes no write until the hold is back;
/// when somebody else has it by then, it never will, and `lost` is set. The thread may hear of it
/// late, so whoever takes the hold writes a name into the store as well, and each transaction that
/// writes looks in its turn whether the name is still its own.
final class PostgresClaim: Sendable {
    /// Milliseconds between two tries.
    private static let pause: Int32 = 200

    /// "GATF" beside the "GATE" of turns, and the schema.
    private static let lock: SQL = """
        SELECT pg_try_advisory_xact_lock(1195463750,
            coalesce(CAST(CAST(to_regnamespace(quote_ident(current_schema())) AS oid) AS int4), 0))
        """

    private static let settings = """
        SELECT set_config('idle_in_transaction_session_timeout', '0', true), \
        set_config('tcp_keepalives_idle', '5', true), \
        set_config('tcp_keepalives_interval', '3', true), \
        set_config('tcp_keepalives_count', '3', true)
        """

    /// Who has the store, by name.
    static let holder: SQL = "SELECT value FROM installation WHERE name = 'held_by'"

    /// This process.
    let name: String
    private let held = Atomic(true)
    /// What is written into it ends the thread.
    private let end: (reading: Int32, writing: Int32)
    let lost = Wake()

    init() throws(StoreRefusal) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .unsuitable("The system has no file descriptors left for the store.")
        }
        for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        end = (ends[0], ends[1])
        var random = SystemRandomNumberGenerator()
        name = String(random.next() as UInt64, radix: 16)
    }

    /// Writes this process's name into the store, whose schema is there by now.
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
    static func connection(_ options: PostgresOptions) throws(StoreRefusal) -> PostgresConnection {
        do throws(PostgresError) {
            let connection = try PostgresConnection(options)
            if try take(connection) { return connection }
        } catch {
            throw .unreachable("\(options.place) cannot be used: \(error.message)")
        }
        throw .inUse("The store, \(options.place), is in use by another process of Gatehouse.")
    }

    private static func take(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        connection.putOff("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
        connection.putOff(settings)
        return try connection.text(lock) == "t"
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
                if try Self.take(connection) {
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
