/// One limit of a plan or a key. Its name says what it is:
///
///     <metric>_per_second, <metric>_per_minute                  a rate (GCRA, no window edge)
///     <metric>_burst                                            how much of that rate at once
///     <metric>_per_hour, <metric>_per_day, <metric>_per_month   a quota in a calendar window, UTC
///     concurrent_<resource>                                     live leases at one time
///     max_<resource>                                            things that exist at one time
package struct Limit: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case rate(metric: String, per: RatePeriod)
        case burst(metric: String)
        case quota(metric: String, window: Window)
        case concurrency(resource: String)
        case stock(resource: String)
    }

    package enum RatePeriod: String, CaseIterable, Sendable {
        case second, minute

        package var milliseconds: Int64 { self == .second ? 1000 : 60_000 }
    }

    package let name: String
    package let kind: Kind
    /// Nil: unlimited.
    package let bound: Int64?
    /// What is past the bound is counted and let through instead of refused; quotas only.
    package let allowsOverage: Bool

    package init(name: String, kind: Kind, bound: Int64?, allowsOverage: Bool = false) {
        self.name = name
        self.kind = kind
        self.bound = bound
        self.allowsOverage = allowsOverage
    }
}

extension Limit.Kind {
    /// Of the name of a metric or a resource.
    package static let wordMax = 40

    /// A word: lower-case letters, digits and single underscores, at most 40 long.
    package static func isWord(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= wordMax,
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first), text.last != "_",
            !text.contains("__")
        else { return false }
        return text.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
    }

    /// Nil for a name that fits no row of the grammar, or two at once (`max_items_per_day`).
    package init?(name: String) {
        let fits = Self.prefixed(name) + Self.suffixed(name)
        guard fits.count == 1, let kind = fits.first else { return nil }
        self = kind
    }

    private static func prefixed(_ name: String) -> [Self] {
        if name.hasPrefix("concurrent_"), isWord(name.dropFirst(11)) {
            return [.concurrency(resource: String(name.dropFirst(11)))]
        }
        if name.hasPrefix("max_"), isWord(name.dropFirst(4)) {
            return [.stock(resource: String(name.dropFirst(4)))]
        }
        return []
    }

    private static func suffixed(_ name: String) -> [Self] {
        func metric(before suffix: String) -> String? {
            guard name.hasSuffix(suffix) else { return nil }
            let word = name.dropLast(suffix.count)
            return isWord(word) ? String(word) : nil
        }
        if let metric = metric(before: "_burst") { return [.burst(metric: metric)] }
        for period in Limit.RatePeriod.allCases {
            if let metric = metric(before: "_per_\(period.rawValue)") {
                return [.rate(metric: metric, per: period)]
            }
        }
        for window in Window.allCases {
            if let metric = metric(before: "_per_\(window.rawValue)") {
                return [.quota(metric: metric, window: window)]
            }
        }
        return []
    }
}

/// A flat set of limits with unique names, as a plan or a key has it; sorted by name.
package struct Limits: Equatable, Sendable {
    package let all: [Limit]

    /// More than any plan needs; bounds what one decision has to look at.
    package static let countMax = 64

    package static let none = Limits(all: [])

    private init(all: [Limit]) { self.all = all.sorted { $0.name < $1.name } }

    /// Reads the API's `limits` object. Throws one field error per wrong name or value.
    package init(json: JSON, field: String = "limits") throws(Problem) {
        guard case .object(let members) = json else {
            throw .invalid(field, "type", "Expected an object, found \(json.kind).")
        }
        guard members.count <= Self.countMax else {
            throw .invalid(field, "too_many", "At most \(Self.countMax) limits.")
        }
        var errors: [Problem.Field] = []
        var found: [Limit] = []
        for member in members {
            switch Self.read(member, path: "\(field).\(member.name)") {
            case .success(let limit): found.append(limit)
            case .failure(let error): errors.append(error)
            }
        }
        errors += Self.burstsWithoutRate(found, field: field)
        guard errors.isEmpty else { throw .invalid(errors) }
        self.init(all: found)
    }

    private enum Reading {
        case success(Limit)
        case failure(Problem.Field)
    }

    private static func read(_ member: JSON.Member, path: String) -> Reading {
        guard let kind = Limit.Kind(name: member.name) else {
            return .failure(Problem.Field(path, "unknown_limit", grammar))
        }
        var bound = member.value
        var allowsOverage = false
        if case .object(let parts) = member.value {
            guard let limit = member.value["limit"],
                parts.allSatisfy({ $0.name == "limit" || $0.name == "overage" })
            else {
                return .failure(
                    Problem.Field(path, "invalid", "Expected {\"limit\", \"overage\"}."))
            }
            bound = limit
            switch member.value["overage"] ?? .string("deny") {
            case .string("deny"): break
            case .string("allow"):
                guard case .quota = kind else {
                    return .failure(
                        Problem.Field(path, "invalid", "Only a quota can allow overage."))
                }
                allowsOverage = true
            default:
                return .failure(
                    Problem.Field(path, "invalid", "overage is \"deny\" or \"allow\"."))
            }
        }
        if bound == .null {
            return .success(Limit(name: member.name, kind: kind, bound: nil))
        }
        guard let value = bound.whole else {
            return .failure(
                Problem.Field(path, "type", "Expected an integer or null, found \(bound.kind)."))
        }
        guard (0...JSON.integerMax).contains(value) else {
            return .failure(
                Problem.Field(path, "out_of_range", "From 0 to \(JSON.integerMax), or null."))
        }
        return .success(
            Limit(name: member.name, kind: kind, bound: value, allowsOverage: allowsOverage))
    }

    private static func burstsWithoutRate(_ found: [Limit], field: String) -> [Problem.Field] {
        found.compactMap { limit in
            guard case .burst(let metric) = limit.kind else { return nil }
            let hasRate = found.contains {
                if case .rate(metric, _) = $0.kind { true } else { false }
            }
            if hasRate { return nil }
            return Problem.Field(
                "\(field).\(limit.name)", "invalid",
                "A burst needs \(metric)_per_second or \(metric)_per_minute beside it.")
        }
    }

    private static let grammar = """
        The name of a limit is <metric>_per_second, _per_minute, _burst, _per_hour, _per_day, \
        _per_month, concurrent_<resource> or max_<resource>.
        """

    package var json: JSON {
        .object(
            all.map { limit in
                let bound = limit.bound.map { JSON.integer($0) } ?? .null
                guard limit.allowsOverage else { return JSON.Member(limit.name, bound) }
                let members = [
                    JSON.Member("limit", bound), JSON.Member("overage", .string("allow")),
                ]
                return JSON.Member(limit.name, .object(members))
            })
    }
}
