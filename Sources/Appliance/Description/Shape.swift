import Domain

/// The members of an object that answers show: what each is called, what it looks like and where it
/// comes from, said once. The object is written from this and described from this, so that the two
/// cannot differ.
struct Shape<Value: Sendable>: Sendable {
    struct Member: Sendable {
        let name: String
        let schema: Schema
        /// False for one that is left out of some answers.
        var isAlways = true
        /// Its name and what belongs to it.
        let write: @Sendable (inout JSONWriter, Value) -> Void
    }

    let name: String
    let members: [Member]
    /// What `$ref`s to it stand for is worked out once.
    let schema: Schema

    init(_ name: String, _ members: [Member]) {
        self.name = name
        self.members = members
        schema = Schema.object(
            members.map { .init(name: $0.name, schema: $0.schema, isRequired: $0.isAlways) }
        ).named(name)
    }

    /// The same members of a part of something larger.
    func members<Whole>(
        of part: @escaping @Sendable (Whole) -> Value
    ) -> [Shape<Whole>.Member] {
        members.map { member in
            Shape<Whole>.Member(
                name: member.name, schema: member.schema, isAlways: member.isAlways
            ) { json, whole in member.write(&json, part(whole)) }
        }
    }

    fileprivate func write(_ value: Value, into json: inout JSONWriter) {
        json.object { json in for member in members { member.write(&json, value) } }
    }
}

extension Shape.Member {
    /// A member whose type says what it looks like. `schema` narrows that, and is null too where
    /// the type is optional.
    static func member<Part: Described>(
        _ name: String, _ schema: Schema? = nil, _ part: @escaping @Sendable (Value) -> Part
    ) -> Self {
        let narrowed = schema.map { Part.isOptional ? $0.orNull : $0 }
        return Self(name: name, schema: narrowed ?? Part.schema) { json, value in
            json.member(name) { part(value).write(into: &$0) }
        }
    }

    /// A member that is left out where there is none.
    static func absentable<Part: Described>(
        _ name: String, _ schema: Schema? = nil, _ part: @escaping @Sendable (Value) -> Part?
    ) -> Self {
        Self(name: name, schema: schema ?? Part.schema, isAlways: false) { json, value in
            guard let part = part(value) else { return }
            json.member(name) { part.write(into: &$0) }
        }
    }

    /// An object in the object.
    static func object<Part>(
        _ name: String, _ shape: Shape<Part>, _ part: @escaping @Sendable (Value) -> Part
    ) -> Self {
        Self(name: name, schema: shape.schema) { json, value in
            json.member(name) { $0.write(part(value), as: shape) }
        }
    }

    /// A list of objects.
    static func list<Part>(
        _ name: String, _ shape: Shape<Part>, _ parts: @escaping @Sendable (Value) -> [Part]
    ) -> Self {
        Self(name: name, schema: .array(shape.schema)) { json, value in
            json.member(name) { $0.array(parts(value)) { $0.write($1, as: shape) } }
        }
    }
}

extension JSONWriter {
    mutating func write<Value>(_ value: Value, as shape: Shape<Value>) {
        shape.write(value, into: &self)
    }
}

/// The shapes of all answers, each beside the routes that answer with it.
enum Shapes {}

/// A value that knows how JSON writes it, and what that looks like.
protocol Described: Sendable {
    static var schema: Schema { get }
    static var isOptional: Bool { get }
    func write(into json: inout JSONWriter)
}

extension Described {
    static var isOptional: Bool { false }
}

extension Described where Self: RawRepresentable & CaseIterable, RawValue == String {
    static var schema: Schema { .words(Self.self) }
    func write(into json: inout JSONWriter) { json.string(rawValue) }
}

extension String: Described {
    static let schema = Schema.string()
    func write(into json: inout JSONWriter) { json.string(self) }
}

extension Bool: Described {
    static let schema = Schema.boolean
    func write(into json: inout JSONWriter) { json.bool(self) }
}

extension Int64: Described {
    static let schema = Schema.integer()
    func write(into json: inout JSONWriter) { json.integer(self) }
}

extension Timestamp: Described {
    static let schema = Schema.time
    func write(into json: inout JSONWriter) { json.string(description) }
}

extension ID: Described {
    static var schema: Schema { .id }
    func write(into json: inout JSONWriter) { json.string(description) }
}

extension JSON: Described {
    static let schema = Schema.any
    func write(into json: inout JSONWriter) { json.value(self) }
}

extension Limits: Described {
    static let schema = Schema.limits
    func write(into json: inout JSONWriter) { json.value(self.json) }
}

extension Scopes: Described {
    static let schema = Schema.array(.words(Scope.self), 0...Scope.allCases.count)
    func write(into json: inout JSONWriter) { words.write(into: &json) }
}

extension Account.Role: Described {}
extension Subscription.Status: Described {}
extension Job.State: Described {}
extension Window: Described {}
extension Limit.RatePeriod: Described {}

extension Array: Described where Element: Described {
    static var schema: Schema { .array(Element.schema) }
    func write(into json: inout JSONWriter) { json.array(self) { $1.write(into: &$0) } }
}

extension Optional: Described where Wrapped: Described {
    static var schema: Schema { Wrapped.schema.orNull }
    static var isOptional: Bool { true }
    func write(into json: inout JSONWriter) {
        guard let self else { return json.null() }
        self.write(into: &json)
    }
}
