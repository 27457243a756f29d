import Domain

/// Reads a request's JSON object field by field and gathers what is wrong with it, so that a client
/// learns of every mistake at once. A field that nobody asked for is a mistake too.
struct Form {
    private let members: [JSON.Member]
    /// Where the object stands in the body, such as `[3].`
    private let path: String
    private var asked: Set<String> = []
    private var errors: [Problem.Field] = []

    init(_ json: JSON, path: String = "") throws(Problem) {
        guard case .object(let members) = json else {
            let field = String(path.prefix { $0 != "." })
            throw .invalid(field, "type", "Expected an object, found \(json.kind).")
        }
        self.members = members
        self.path = path
    }

    mutating func refuse(_ field: String, _ code: String, _ message: String) {
        errors.append(Problem.Field(path + field, code, message))
    }

    /// The value of a field; nil when it is absent.
    mutating func value(_ name: String) -> JSON? {
        asked.insert(name)
        return members.first { $0.name == name }?.value
    }

    /// Reads a field with `read`, which returns nil after it has refused the value.
    mutating func required<Value>(
        _ name: String, _ read: (inout Form, JSON) -> Value?
    ) -> Value? {
        guard let value = value(name) else {
            refuse(name, "required", "This field is needed.")
            return nil
        }
        return read(&self, value)
    }

    /// Nil when absent or null.
    mutating func optional<Value>(
        _ name: String, _ read: (inout Form, JSON) -> Value?
    ) -> Value? {
        guard let value = value(name), value != .null else { return nil }
        return read(&self, value)
    }

    /// A change to a field that can be emptied: nil leaves it, `.some(nil)` empties it.
    mutating func change<Value>(
        _ name: String, _ read: (inout Form, JSON) -> Value?
    ) -> Value?? {
        guard let value = value(name) else { return nil }
        return value == .null ? .some(nil) : .some(read(&self, value))
    }

    /// Ends the reading: throws what was gathered, or gives the values that were required.
    mutating func finish<each Value>(
        _ values: repeat (each Value)?
    ) throws(Problem) -> (repeat each Value) {
        for member in members where !asked.contains(member.name) {
            let known = asked.isEmpty ? "none" : asked.sorted().joined(separator: ", ")
            refuse(
                member.name, "unknown_field", "There is no such field here; there are: \(known).")
        }
        guard errors.isEmpty else { throw .invalid(errors) }
        return (repeat try Self.present(each values))
    }

    private static func present<Value>(_ value: Value?) throws(Problem) -> Value {
        guard let value else { throw .internal(cause: "a required field was read as nothing") }
        return value
    }
}

// MARK: Kinds of values

extension Form {
    private mutating func text(_ name: String, _ value: JSON) -> String? {
        guard case .string(let text) = value else {
            refuse(name, "type", "Expected a string, found \(value.kind).")
            return nil
        }
        return text
    }

    /// Text for people: NFC, trimmed of spaces, without control characters. Its length is counted
    /// as JSON Schema counts: in code points, as sent.
    mutating func words(_ name: String, max: Int, required: Bool = true) -> String? {
        let read: (inout Form, JSON) -> String? = { form, value in
            form.words(name, value, max: max)
        }
        return required ? self.required(name, read) : optional(name, read)
    }

    mutating func words(_ name: String, _ value: JSON, max: Int) -> String? {
        guard let raw = text(name, value) else { return nil }
        let trimmed = Text.nfc(
            String(raw.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
        guard !trimmed.isEmpty else {
            refuse(name, "too_short", "This must not be empty.")
            return nil
        }
        guard raw.unicodeScalars.count <= max else {
            refuse(name, "too_long", "At most \(max) characters.")
            return nil
        }
        guard !Text.hasUnsafeCharacter(trimmed) else {
            refuse(name, "invalid", "Control and invisible characters are not allowed.")
            return nil
        }
        return trimmed
    }

    mutating func email(_ name: String, required: Bool = true) -> EmailAddress? {
        let read: (inout Form, JSON) -> EmailAddress? = { form, value in
            guard let text = form.text(name, value) else { return nil }
            guard let address = EmailAddress(text) else {
                form.refuse(name, "invalid", "Expected an e-mail address.")
                return nil
            }
            return address
        }
        return required ? self.required(name, read) : optional(name, read)
    }

    /// A password as typed; its rules are the policy's. An oversized one goes no further.
    mutating func password(_ name: String) -> Secret? {
        required(name) { form, value in
            guard let text = form.text(name, value) else { return nil }
            guard text.utf8.count <= PasswordHasher.bytesMax else {
                form.refuse(name, "too_long", "At most \(PasswordHasher.bytesMax) bytes.")
                return nil
            }
            return PasswordPolicy.normalised(text)
        }
    }

    /// An opaque token.
    mutating func token(_ name: String, required: Bool = true) -> Secret? {
        let read: (inout Form, JSON) -> Secret? = { form, value in
            guard let text = form.text(name, value) else { return nil }
            guard (1...512).contains(text.utf8.count) else {
                form.refuse(name, "invalid", "Expected a token.")
                return nil
            }
            return Secret(text)
        }
        return required ? self.required(name, read) : optional(name, read)
    }

    mutating func bool(_ name: String) -> Bool? {
        optional(name) { form, value in
            guard case .bool(let bool) = value else {
                form.refuse(name, "type", "Expected true or false, found \(value.kind).")
                return nil
            }
            return bool
        }
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        optional(name) { form, value in
            guard let integer = value.whole else {
                form.refuse(name, "type", "Expected an integer, found \(value.kind).")
                return nil
            }
            guard range.contains(integer) else {
                form.refuse(
                    name, "out_of_range", "From \(range.lowerBound) to \(range.upperBound).")
                return nil
            }
            return integer
        }
    }

    /// A count of units: 0 up to the largest integer that every JSON reader keeps exact.
    mutating func amount(_ name: String, _ value: JSON) -> Int64? {
        guard let integer = value.whole, (0...JSON.integerMax).contains(integer) else {
            refuse(name, "out_of_range", "Expected an integer from 0 to \(JSON.integerMax).")
            return nil
        }
        return integer
    }

    /// A span of whole seconds that has to be there.
    mutating func seconds(_ name: String, in range: ClosedRange<Int64>) -> Duration? {
        required(name) { form, value in
            guard let seconds = value.whole, range.contains(seconds) else {
                form.refuse(
                    name, "out_of_range",
                    "Expected an integer from \(range.lowerBound) to \(range.upperBound).")
                return nil
            }
            return .seconds(seconds)
        }
    }

    /// The name of a metric or a resource.
    mutating func word(_ name: String, _ value: JSON) -> String? {
        guard let text = text(name, value) else { return nil }
        guard Limit.Kind.isWord(text[...]) else {
            refuse(name, "invalid", "Expected a lower-case word of letters, digits and _.")
            return nil
        }
        return text
    }

    mutating func id<Noun>(_ name: String, _ value: JSON) -> ID<Noun>? {
        guard let text = text(name, value) else { return nil }
        guard let id = ID<Noun>(text) else {
            refuse(name, "invalid", "Expected an id.")
            return nil
        }
        return id
    }

    mutating func timestamp(_ name: String, _ value: JSON) -> Timestamp? {
        guard let text = text(name, value) else { return nil }
        guard let moment = Timestamp(text) else {
            refuse(name, "invalid", "Expected a time such as 2026-11-23T16:52:00Z.")
            return nil
        }
        return moment
    }

    /// One word of a fixed list.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ value: JSON, _ type: Choice.Type
    ) -> Choice? where Choice.RawValue == String {
        guard let text = text(name, value) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            refuse(name, "invalid", "Expected one of: \(words).")
            return nil
        }
        return choice
    }

    /// A list of texts, each read by `read`; the errors name the place in the list.
    mutating func list<Element>(
        _ name: String, _ value: JSON, max: Int, _ read: (inout Form, String, JSON) -> Element?
    ) -> [Element]? {
        guard case .array(let elements) = value else {
            refuse(name, "type", "Expected an array, found \(value.kind).")
            return nil
        }
        guard elements.count <= max else {
            refuse(name, "too_many", "At most \(max).")
            return nil
        }
        var found: [Element] = []
        for (index, element) in elements.enumerated() {
            if let value = read(&self, "\(name)[\(index)]", element) { found.append(value) }
        }
        return found.count == elements.count ? found : nil
    }

    mutating func network(_ name: String, _ value: JSON) -> Network? {
        guard let text = text(name, value) else { return nil }
        guard let network = Network(text) else {
            refuse(name, "invalid", "Expected an address or a network such as 10.0.0.0/8.")
            return nil
        }
        return network
    }

    mutating func limits(_ name: String, _ value: JSON) -> Limits? {
        do throws(Problem) {
            return try Limits(json: value, field: path + name)
        } catch {
            errors += error.errors
            return nil
        }
    }
}
