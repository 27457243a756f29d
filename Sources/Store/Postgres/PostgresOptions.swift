import CPostgres
import Domain

/// Where a PostgreSQL server is and how it is spoken to: a `postgres://` URL as libpq reads it
/// (postgresql.org/docs/current/libpq-connect.html), with TLS (`sslmode`, `sslrootcert`) and the
/// password's place (`passfile`, or PGPASSWORD in the environment) among its parameters; or with
/// the password in a file of its own.
struct PostgresOptions: Sendable {
    /// Keyword and value, as libpq takes them, less the password that is in a file.
    let parameters: [String: String]
    private let passwordFile: String?

    /// No server takes a longer one (PG_MAX_AUTH_TOKEN_LENGTH).
    private static let passwordBytesMax = 65_535

    /// What a transaction sets for itself, so that none holds its locks for long.
    struct Timeouts: Sendable {
        /// Of one statement; reads end as they do on SQLite.
        var statement: Duration = .seconds(5)
        /// Until a turn, or another program's lock.
        var lock: Duration = .seconds(5)
        /// Between two statements: a node that is gone without a word frees its turn after this.
        var idle: Duration = .seconds(10)
        /// For one answer: longer than the server's own, for a server that hangs.
        var answer: Duration = .seconds(20)
        /// For finding out what became of a COMMIT without an answer; longer than the server needs
        /// to notice that its client is gone.
        var lookUp: Duration = .seconds(12)
        /// How long our own former connection may seem to be another process that has the store:
        /// the server notices that it is dead after 5 seconds of silence and three probes.
        var claim: Duration = .seconds(30)
    }

    var timeouts = Timeouts()

    /// For a node: the others wait for its turn when it is gone without a word, and this ends
    /// before their patience (`lock`) does.
    var sharing: PostgresOptions {
        var sharing = self
        sharing.timeouts.idle = .seconds(3)
        return sharing
    }

    /// For who would rather ask again, on a new connection, than wait for an answer.
    var hasty: PostgresOptions {
        var hasty = self
        hasty.timeouts.statement = .seconds(1)
        hasty.timeouts.answer = .seconds(2)
        return hasty
    }

    /// What the URL may override. Together they find a dead network in 15 seconds, which the kernel
    /// alone takes hours for.
    private static let defaults = [
        "application_name": "gatehouse",
        // Seconds, for each host of the URL.
        "connect_timeout": "5",
        "keepalives_idle": "5",
        "keepalives_interval": "3",
        "keepalives_count": "3",
        // Milliseconds that sent data may wait for the other machine's acknowledgement.
        "tcp_user_timeout": "10000",
        // Of several hosts the one that is the primary; a standby alone is none.
        "target_session_attrs": "read-write",
    ]

    /// - Throws: `unsuitable` when libpq cannot read the URL. libpq's own words are left out, for
    ///   they repeat it with its password.
    init(url: String, passwordFile: String? = nil) throws(StoreRefusal) {
        guard let parsed = PQconninfoParse(url, nil) else {
            throw .unsuitable("store.url is no PostgreSQL URL that libpq can read.")
        }
        defer { PQconninfoFree(parsed) }
        var given: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                given[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        var parameters = Self.defaults.merging(given) { $1 }
        // Texts are UTF-8 here, whatever the database says of itself.
        parameters["client_encoding"] = "UTF8"
        self.parameters = parameters
        self.passwordFile = passwordFile
    }

    /// For one connection: the file is read now, since its password may be another than before.
    func parametersNow() throws(PostgresError) -> [String: String] {
        guard let passwordFile else { return parameters }
        var bytes: [UInt8]
        do throws(BackupFailure) {
            bytes = try DiskFile.read(passwordFile).next(Self.passwordBytesMax + 1)
        } catch {
            throw Self.passwordFileError(error.description)
        }
        // What an editor or `echo` leaves behind it is not part of it.
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.count <= Self.passwordBytesMax, !bytes.contains(0) else {
            throw Self.passwordFileError("\(passwordFile) has no password in it.")
        }
        return parameters.merging(["password": String(decoding: bytes, as: UTF8.self)]) { $1 }
    }

    private static func passwordFileError(_ reason: String) -> PostgresError {
        PostgresError(
            state: PostgresError.Code.connectionFailure, message: "store.password_file: \(reason)")
    }

    /// For messages: where it is, and never who signs in with what.
    var place: String {
        let host = parameters["host"] ?? parameters["hostaddr"] ?? "the local server"
        let port = parameters["port"].map { ":\($0)" } ?? ""
        return "PostgreSQL at \(host)\(port)" + (parameters["dbname"].map { "/\($0)" } ?? "")
    }
}
