/// What a credential may do. A signed-in user has every scope their role allows.
package enum Scope: String, CaseIterable, Sendable {
    case itemsRead = "items:read"
    case itemsWrite = "items:write"
    case gate = "gate"
    case usageRead = "usage:read"
    case usageWrite = "usage:write"
    case reservations = "reservations"
    case leases = "leases"
    case tokensIntrospect = "tokens:introspect"
    case adminRead = "admin:read"
    case adminWrite = "admin:write"
}

/// A set of scopes in one word: every key in memory has one, and every request asks it.
package struct Scopes: Hashable, Sendable, ExpressibleByArrayLiteral {
    private let bits: UInt16

    private init(bits: UInt16) { self.bits = bits }

    package init(_ scopes: some Sequence<Scope>) {
        bits = scopes.reduce(0) { $0 | Self.bit($1) }
    }

    package init(arrayLiteral scopes: Scope...) { self.init(scopes) }

    /// Words that are no scope, such as one of a later version, stand for nothing.
    package init(words: String) {
        self.init(words.split(separator: " ").compactMap { Scope(rawValue: String($0)) })
    }

    /// The scopes that an account of this role can put on a key, and has itself.
    package static func available(to role: Account.Role) -> Scopes {
        switch role {
        case .user: everything.subtracting([.adminRead, .adminWrite])
        case .support: everything.subtracting([.adminWrite])
        case .admin: everything
        }
    }

    private static let everything = Scopes(Scope.allCases)

    package var isEmpty: Bool { bits == 0 }

    package func contains(_ scope: Scope) -> Bool { bits & Self.bit(scope) != 0 }

    package func intersection(_ other: Scopes) -> Scopes { Scopes(bits: bits & other.bits) }

    package func subtracting(_ other: Scopes) -> Scopes { Scopes(bits: bits & ~other.bits) }

    /// In the order of their spelling, as lists and headers show them.
    package var words: [String] { all.map(\.rawValue) }

    package var all: [Scope] { Self.sorted.filter { contains($0) } }

    fileprivate static let sorted = Scope.allCases.sorted { $0.rawValue < $1.rawValue }

    private static func bit(_ scope: Scope) -> UInt16 {
        switch scope {
        case .itemsRead: 1 << 0
        case .itemsWrite: 1 << 1
        case .gate: 1 << 2
        case .usageRead: 1 << 3
        case .usageWrite: 1 << 4
        case .reservations: 1 << 5
        case .leases: 1 << 6
        case .tokensIntrospect: 1 << 7
        case .adminRead: 1 << 8
        case .adminWrite: 1 << 9
        }
    }
}

extension ByteWriter {
    /// The words, a space between them. Without a list made first: the gate does this with every
    /// answer.
    package mutating func append(words scopes: Scopes) {
        append(scopes, between: UInt8(ascii: " ")) { $0.append($1) }
    }

    /// The words as an array in JSON.
    package mutating func append(quoted scopes: Scopes) {
        append(UInt8(ascii: "["))
        append(scopes, between: UInt8(ascii: ",")) { $0.append(quoted: $1) }
        append(UInt8(ascii: "]"))
    }

    private mutating func append(
        _ scopes: Scopes, between: UInt8, _ write: (inout ByteWriter, String) -> Void
    ) {
        var isFirst = true
        for scope in Scopes.sorted where scopes.contains(scope) {
            if !isFirst { append(between) }
            isFirst = false
            write(&self, scope.rawValue)
        }
    }
}
