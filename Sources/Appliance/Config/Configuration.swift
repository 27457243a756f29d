import Domain

/// Everything that can be configured, with its defaults. `config/gatehouse.yaml` is the manual; a
/// test compares the two.
package struct Configuration: Sendable, Equatable {
    package struct Server: Sendable, Equatable {
        package var listen = ListenAddress(host: "127.0.0.1", port: 8080)
        /// Nil: `http://`, or `https://` with a certificate, and the listening address.
        package var publicURL: String?
        package var allowedHosts: [String] = []
        package var trustedProxies: [Network] = []
        package var connectionsMax = 4096
        package var connectionsPerAddressMax = 1024
        package var headerTimeout: Duration = .seconds(10)
        package var bodyTimeout: Duration = .seconds(30)
        package var idleTimeout: Duration = .seconds(60)
        package var drainDelay: Duration = .zero
        package var drainTimeout: Duration = .seconds(20)
        package var tls = TLS()
    }

    package struct Metrics: Sendable, Equatable {
        /// Nil: none.
        package var listen: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 9464)
    }

    package struct Docs: Sendable, Equatable {
        /// `local`, `always` or `never`.
        package var pages = "local"
    }

    /// PEM files. Both or neither: the loader refuses one alone.
    package struct TLS: Sendable, Equatable {
        package var certificate: String?
        package var key: String?

        var files: (certificate: String, key: String)? {
            guard let certificate, let key else { return nil }
            return (certificate, key)
        }
    }

    package struct Store: Sendable, Equatable {
        /// `sqlite:` and a path; a relative one is inside the data directory's parent. Or a
        /// `postgres://` URL, which may have a password in it: it is never shown.
        package var url = "sqlite:data/gatehouse.db"
        /// Of PostgreSQL's password. Nil: it is where libpq looks.
        package var passwordFile: String?
        package var readers = 2
        package var writerQueue = 4096

        static func isURL(_ text: String) -> Bool {
            (text.hasPrefix("sqlite:") && text.utf8.count > 7) || text.hasPrefix("postgres://")
                || text.hasPrefix("postgresql://")
        }
    }

    package struct Backup: Sendable, Equatable {
        /// A relative path that begins with `data/` is in the data directory.
        package var directory = "data/backups"
        /// Nil: backups are not encrypted unless a command says so.
        package var keyFile: String?
        /// When the nightly one is made; nil: none.
        package var at = TimeOfDay("03:00")
        package var keep = BackupRetention(daily: 7, weekly: 4, monthly: 12)
        package var beforeMigration = true
        /// When the newest is restored for trial (`jobs.drill`); nil: never.
        package var drillAt = TimeOfDay("04:30")
    }

    package struct Auth: Sendable, Equatable {
        package var requireVerifiedEmail = false
        package var requireTOTPForAdmins = false
        package var passwordMinLength = 10
        package var accessTokenTTL: Duration = .seconds(900)
        package var refreshTokenTTL: Duration = .seconds(30 * 86_400)
        package var sessionTTL: Duration = .seconds(90 * 86_400)
        package var refreshGrace: Duration = .seconds(10)
        package var algorithm = SigningAlgorithm.edDSA
        package var recentSignIn: Duration = .seconds(300)
        package var signingKeyMaxAge: Duration = .seconds(90 * 86_400)
        /// Nil: `sealing-keys.json` in the data directory.
        package var sealingKeysFile: String?
        package var issuer: String?
        package var audience = "gatehouse"
        package var argon2MemoryKiB = 19_456
        package var argon2Iterations = 2
        package var argon2Threads = 0
        package var argon2Queue = 64
    }

    package struct Limits: Sendable, Equatable {
        package var authEnabled = true
        package var checkpointInterval: Duration = .seconds(1)
        package var customersInMemory = 100_000
        package var apiPerMinuteUser = 6000
        package var apiPerMinuteAddress = 12_000
        /// `closed` or `open`.
        package var ratesWithoutRedis = "closed"
        package var localBlocks = true
    }

    package struct Mail: Sendable, Equatable {
        package var transport = "mailbox"
        package var from = "Gatehouse <gatehouse@localhost>"
        package var smtp = SMTP()
    }

    package struct SMTP: Sendable, Equatable {
        package enum Security: String, Sendable, CaseIterable {
            /// In the clear until STARTTLS, which is demanded.
            case startTLS = "starttls"
            /// TLS from the first byte (RFC 8314).
            case tls
            case none
        }

        package var host = ""
        package var port = 587
        package var security = Security.startTLS
        /// Empty: no sign-in.
        package var username = ""
        package var password = Secret("")
        /// Nil: the certificate authorities that the system trusts.
        package var caFile: String?
        package var timeout: Duration = .seconds(30)
    }

    package struct Audit: Sendable, Equatable {
        /// Nil: rows are kept for ever.
        package var keep: Duration?
    }

    package struct Jobs: Sendable, Equatable {
        package var workers = 4
        package var lease: Duration = .seconds(60)
        package var doneKept: Duration = .seconds(3 * 86_400)
        package var deadKept: Duration = .seconds(30 * 86_400)
        // Schedules; empty: never.
        package var expireSubscriptions = "@every 1m"
        package var cleanUp = "@every 5m"
        package var rotateSigningKey = "@every 1h"
        package var rollUpUsage = "30 3 * * *"
    }

    package struct Usage: Sendable, Equatable {
        package var hoursKept: Duration = .seconds(90 * 86_400)
        package var daysKept: Duration = .seconds(400 * 86_400)
    }

    package struct Log: Sendable, Equatable {
        package var level = "info"
        package var requests = "errors"
        /// Zero: no request is slow.
        package var slowRequest: Duration = .seconds(1)
        /// Zero: no statement is slow.
        package var slowQuery: Duration = .milliseconds(200)
    }

    package var server = Server()
    package var metrics = Metrics()
    package var docs = Docs()
    package var store = Store()
    package var redis = Redis()
    package var backup = Backup()
    package var auth = Auth()
    package var limits = Limits()
    package var usage = Usage()
    package var mail = Mail()
    package var audit = Audit()
    package var jobs = Jobs()
    package var log = Log()
    package var otlp = OTLP()
    package var sentry = Sentry()
    /// Where the store, keys and mailbox are; `--data-dir`.
    package var dataDirectory = "data"
    /// The file that it was read from, if there was one.
    package var file: String?

    package init() {}

    package var publicURL: String { server.publicURL ?? "\(scheme)://\(server.listen)" }

    /// What the listener speaks itself.
    var scheme: String { server.tls.files == nil ? "http" : "https" }

    /// TLS ends here or at a proxy before this server: cookies are `Secure`, answers carry HSTS.
    package var isSecure: Bool { publicURL.hasPrefix("https:") }

    package var issuer: String { auth.issuer ?? publicURL }

    /// `/docs` and `/redoc`. What has an https:// address is public (security G5).
    var showsDocs: Bool { docs.pages == "always" || docs.pages == "local" && !isSecure }

    /// Values that are each right but do not go together; nil when all do.
    package var contradiction: String? {
        let tls = server.tls
        guard (tls.certificate == nil) == (tls.key == nil) else {
            let missing = tls.key == nil ? "server.tls.key" : "server.tls.certificate"
            return "server.tls needs both a certificate and its key: \(missing) is missing"
        }
        if tls.files != nil, !isSecure {
            return "server.public_url: expected https:// since server.tls has a certificate"
        }
        return nil
    }
}

/// `HOST:PORT`, with an IPv6 host in brackets. Port 0 takes any free one.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: host, port: Int(port))
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
