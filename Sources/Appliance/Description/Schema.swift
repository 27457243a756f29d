import Domain

/// A JSON Schema (2020-12, as OpenAPI 3.1 has it), with what its references lead to and a value
/// that fits it.
struct Schema: Sendable {
    /// Its keywords, in the order in which they are written.
    private(set) var keywords: [JSON.Member]
    /// By name, what the references in it lead to.
    private(set) var named: [String: JSON] = [:]
    private(set) var example: JSON

    var json: JSON { .object(keywords) }

    init(_ keywords: [JSON.Member], named: [String: JSON] = [:], example: JSON) {
        self.keywords = keywords
        self.named = named
        self.example = example
    }

    /// One member of an object.
    struct Property: Sendable {
        let name: String
        let schema: Schema
        let isRequired: Bool

        /// It has to be there.
        static func needed(_ name: String, _ schema: Schema) -> Property {
            Property(name: name, schema: schema, isRequired: true)
        }

        /// It may be left out or null, as `Form.optional` and `Form.change` read it.
        static func optional(_ name: String, _ schema: Schema) -> Property {
            Property(name: name, schema: schema.orNull, isRequired: false)
        }

        /// It may be left out, not null.
        static func absentable(_ name: String, _ schema: Schema) -> Property {
            Property(name: name, schema: schema, isRequired: false)
        }
    }

    // MARK: Kinds

    /// Any JSON.
    static let any = Schema([], example: .object([JSON.Member("colour", "green")]))

    static let boolean = Schema(type: "boolean", example: true)

    static let null = Schema(type: "null", example: .null)

    /// Counts of ours stop at 2^53, which every reader keeps exact.
    static func integer(
        _ range: ClosedRange<Int64> = 0...JSON.integerMax, example: Int64? = nil
    ) -> Schema {
        Schema(
            type: "integer",
            [
                JSON.Member("format", "int64"),
                JSON.Member("minimum", .integer(range.lowerBound)),
                JSON.Member("maximum", .integer(range.upperBound)),
            ], example: .integer(example ?? max(range.lowerBound, min(1, range.upperBound))))
    }

    static func string(
        _ length: ClosedRange<Int>? = nil, pattern: String? = nil, format: String? = nil,
        example: String = "text"
    ) -> Schema {
        var keywords: [JSON.Member] = []
        if let format { keywords.append(JSON.Member("format", .string(format))) }
        if let length {
            keywords.append(JSON.Member("minLength", .integer(Int64(length.lowerBound))))
            keywords.append(JSON.Member("maxLength", .integer(Int64(length.upperBound))))
        }
        if let pattern { keywords.append(JSON.Member("pattern", .string(pattern))) }
        return Schema(type: "string", keywords, example: .string(example))
    }

    /// One of the words of an enumeration.
    static func words<Word: RawRepresentable & CaseIterable>(_ type: Word.Type) -> Schema
    where Word.RawValue == String {
        words(Word.allCases.map(\.rawValue))
    }

    static func words(_ words: [String]) -> Schema {
        Schema(
            type: "string", [JSON.Member("enum", .array(words.map { .string($0) }))],
            example: words.first.map { .string($0) } ?? .null)
    }

    static func array(_ element: Schema, _ count: ClosedRange<Int>? = nil) -> Schema {
        var keywords = [JSON.Member("items", element.json)]
        if let count {
            keywords.append(JSON.Member("minItems", .integer(Int64(count.lowerBound))))
            keywords.append(JSON.Member("maxItems", .integer(Int64(count.upperBound))))
        }
        return Schema(
            type: "array", keywords, named: element.named, example: .array([element.example]))
    }

    /// An object with these members and no others.
    static func object(_ properties: [Property], isOpen: Bool = false) -> Schema {
        var keywords: [JSON.Member] = []
        let needed = properties.filter(\.isRequired).map { JSON.string($0.name) }
        if !needed.isEmpty { keywords.append(JSON.Member("required", .array(needed))) }
        if !properties.isEmpty {
            keywords.append(
                JSON.Member(
                    "properties",
                    .object(properties.map { JSON.Member($0.name, $0.schema.json) })))
        }
        if !isOpen { keywords.append(JSON.Member("additionalProperties", false)) }
        return Schema(
            type: "object", keywords,
            named: properties.reduce(into: [:]) { $0.merge($1.schema.named) { one, _ in one } },
            example: .object(properties.map { JSON.Member($0.name, $0.schema.example) }))
    }

    /// An object whose members are all of one kind, under names that fit the pattern.
    static func map(
        of value: Schema, names: String, countMax: Int, example: JSON
    ) -> Schema {
        Schema(
            type: "object",
            [
                JSON.Member("maxProperties", .integer(Int64(countMax))),
                JSON.Member("patternProperties", .object([JSON.Member(names, value.json)])),
                JSON.Member("additionalProperties", false),
            ], named: value.named, example: example)
    }

    static func either(_ schemas: [Schema]) -> Schema {
        Schema(
            [JSON.Member("anyOf", .array(schemas.map(\.json)))],
            named: schemas.reduce(into: [:]) { $0.merge($1.named) { one, _ in one } },
            example: schemas.first?.example ?? .null)
    }

    private init(
        type: String, _ keywords: [JSON.Member] = [], named: [String: JSON] = [:], example: JSON
    ) {
        self.init(
            [JSON.Member("type", .string(type))] + keywords, named: named, example: example)
    }

    // MARK: Changes

    /// The same, or null.
    var orNull: Schema {
        guard !keywords.isEmpty else { return self }
        guard case .string(let type)? = json["type"] else {
            return .either([self, .null])
        }
        return with("type", .array([.string(type), "null"])) { words in
            guard case .array(let words) = words else { return words }
            return .array(words + [.null])
        }
    }

    private func with(
        _ keyword: String, _ value: JSON, enumeration: (JSON) -> JSON
    ) -> Schema {
        var changed = self
        changed.keywords = keywords.map { member in
            switch member.name {
            case keyword: JSON.Member(keyword, value)
            case "enum": JSON.Member("enum", enumeration(member.value))
            default: member
            }
        }
        return changed
    }

    /// With a word of explanation.
    func noted(_ text: String) -> Schema {
        var changed = self
        changed.keywords.append(JSON.Member("description", .string(text)))
        return changed
    }

    func showing(_ example: JSON) -> Schema {
        var changed = self
        changed.example = example
        return changed
    }

    /// Under a name of its own: whoever uses it refers to it.
    func named(_ name: String) -> Schema {
        var named = named
        named[name] = json
        return Schema(
            [JSON.Member("$ref", .string("#/components/schemas/\(name)"))], named: named,
            example: example)
    }
}
