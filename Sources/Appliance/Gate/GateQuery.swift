import Domain

/// What `/gate` was asked, read from the query of its address.
struct GateQuery: Sendable, Equatable {
    var demand = Demand(metric: Demand.requests)
    /// A scope that is demanded beside `gate`.
    var scope: Scope?

    /// The plain question that nearly every request asks.
    static let plain = GateQuery()

    private init() {}

    /// Throws one error for the first parameter that is not right.
    init(_ query: Substring?) throws(Problem) {
        guard let query else { return }
        let metric = try Self.metric(QueryString.value(of: "metric", in: query))
        demand = Demand(metric: metric, cost: try Self.cost(query))
        if let choice = QueryString.value(of: "on_deny", in: query), choice != "403" {
            throw .invalid("on_deny", "invalid", "Expected: 403.")
        }
        if let text = QueryString.value(of: "scope", in: query) {
            scope = try text.choice("scope", Scope.self)
        }
    }

    /// The metric that a query names, `requests` where it names none.
    static func metric(_ text: String?) throws(Problem) -> String {
        let metric = text ?? Demand.requests
        guard Limit.Kind.isWord(metric[...]) else {
            throw .invalid("metric", "invalid", "A metric is a lower-case word.")
        }
        return metric
    }

    private static func cost(_ query: Substring) throws(Problem) -> Int64 {
        guard let text = QueryString.value(of: "cost", in: query) else { return 1 }
        guard let number = Int64(text), (0...Demand.costMax).contains(number),
            text.utf8.first != UInt8(ascii: "+")
        else { throw .invalid("cost", "out_of_range", "From 0 to \(Demand.costMax).") }
        return number
    }

    /// 402 and 429 are shown as 403, for nginx `auth_request`; known even when the rest is wrong.
    static func isDisguised(_ query: Substring?) -> Bool {
        query.flatMap { QueryString.value(of: "on_deny", in: $0) } == "403"
    }
}

/// `name=value&…` behind an address's question mark (WHATWG URL, 5.1, without the plus sign, which
/// nothing here needs).
enum QueryString {
    /// What stands behind the first `?`.
    static func query(of target: Substring) -> Substring? {
        target.utf8.firstIndex(of: UInt8(ascii: "?")).map { target[target.index(after: $0)...] }
    }

    /// The last value of that name, percent-decoded; nil when there is none.
    static func value(of name: String, in query: Substring) -> String? {
        var found: Substring?
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if decoded(parts[0]) == name { found = parts.count == 2 ? parts[1] : "" }
        }
        return found.map { decoded($0) }
    }

    /// A sign that is not followed by two hexadecimal digits stands for itself.
    static func decoded(_ text: Substring) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        let bytes = Array(text.utf8)
        var found: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count,
                let value = UInt8(
                    String(decoding: bytes[at + 1...at + 2], as: UTF8.self), radix: 16)
            {
                found.append(value)
                at += 3
            } else {
                found.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: found, as: UTF8.self)
    }
}

extension String {
    /// One word of a fixed list.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ type: Choice.Type
    ) throws(Problem) -> Choice where Choice.RawValue == String {
        if let choice = Choice(rawValue: self) { return choice }
        let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw .invalid(name, "invalid", "Expected one of: \(words).")
    }
}
