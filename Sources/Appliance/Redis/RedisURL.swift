import Domain

/// `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, `rediss://` for TLS, or `unix:/PATH`.
package struct RedisURL: Sendable, Equatable {
    let isSecure: Bool
    let place: ServerPlace
    /// Nil: the server's default user.
    let user: String?
    let password: Secret?
    let database: Int

    static let standardPort = 6379
    /// The server's own configuration allows no more.
    private static let databaseMax = Int(Int32.max)

    /// User and password may have percent-encoded signs, and must where they have `:`, `/` or `@`.
    init?(_ text: String) {
        guard !Text.hasUnsafeCharacter(text), !text.contains(where: { "?# ".contains($0) }) else {
            return nil
        }
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard path.hasPrefix("/"), path.utf8.count > 1 else { return nil }
            self.init(isSecure: false, place: .socket(path), user: nil, password: nil, database: 0)
            return
        }
        guard let scheme = ["rediss://", "redis://"].first(where: text.hasPrefix) else {
            return nil
        }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count).dropFirst()
        let at = authority.lastIndex(of: "@")
        let name = at.map { authority[authority.index(after: $0)...] } ?? authority
        guard let place = Self.place(String(name)),
            let database = path.isEmpty ? 0 : Int(path), (0...Self.databaseMax).contains(database)
        else { return nil }
        let signs = (at.map { authority[..<$0] } ?? "")
            .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            .map(QueryString.decoded)
        self.init(
            isSecure: scheme == "rediss://", place: place,
            user: signs.first.flatMap { $0.isEmpty ? nil : $0 },
            password: signs.count == 2 && !signs[1].isEmpty ? Secret(signs[1]) : nil,
            database: database)
    }

    private init(
        isSecure: Bool, place: ServerPlace, user: String?, password: Secret?, database: Int
    ) {
        self.isSecure = isSecure
        self.place = place
        self.user = user
        self.password = password
        self.database = database
    }

    private static func place(_ text: String) -> ServerPlace? {
        if let address = ListenAddress(text), address.port > 0 {
            return .host(address.host, port: address.port)
        }
        return ListenAddress("\(text):\(standardPort)").map { .host($0.host, port: $0.port) }
    }
}

extension RedisURL: CustomStringConvertible {
    /// Without the password.
    package var description: String {
        guard case .host = place else { return "unix:\(place)" }
        let mark = password.map { ":\($0)" } ?? ""
        let signs = user == nil && password == nil ? "" : "\(user ?? "")\(mark)@"
        return (isSecure ? "rediss://" : "redis://") + signs + "\(place)"
            + (database == 0 ? "" : "/\(database)")
    }
}
