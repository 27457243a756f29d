/// Writes JSON straight into bytes. What is sent is named member by member at the call, so nothing
/// leaves by accident (security M2); an encoder over reflection would cost ten times as much.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        body(&self)
        bytes.append(UInt8(ascii: "}"))
    }

    package mutating func array<Element>(
        _ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) -> Void
    ) {
        bytes.append(UInt8(ascii: "["))
        for element in elements {
            separate()
            body(&self, element)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    package mutating func member(_ name: String, _ body: (inout JSONWriter) -> Void) {
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
        body(&self)
    }

    package mutating func member(_ name: String, _ value: String?) {
        member(name) { json in
            if let value { json.string(value) } else { json.null() }
        }
    }

    package mutating func member(_ name: String, _ value: Int64?) {
        member(name) { json in
            if let value { json.integer(value) } else { json.null() }
        }
    }

    package mutating func member(_ name: String, _ value: Bool) {
        member(name) { $0.bool(value) }
    }

    package mutating func member(_ name: String, _ value: Timestamp?) {
        member(name) { json in
            if let value { json.time(value) } else { json.null() }
        }
    }

    package mutating func member<Noun>(_ name: String, _ value: ID<Noun>?) {
        member(name) { $0.id(value) }
    }

    package mutating func member(_ name: String, _ values: [String]) {
        member(name) { json in json.array(values) { $0.string($1) } }
    }

    package mutating func array(_ scopes: Scopes) {
        array(scopes.all) { $0.string($1.rawValue) }
    }

    package mutating func value(_ value: JSON) {
        switch value {
        case .null: null()
        case .bool(let bool): self.bool(bool)
        case .integer(let integer): append(integer)
        case .decimal(let literal): bytes.append(contentsOf: literal.utf8)
        case .string(let text): string(text)
        case .array(let elements): array(elements) { $0.value($1) }
        case .object(let members):
            object { json in
                for member in members { json.member(member.name) { $0.value(member.value) } }
            }
        }
    }

    package mutating func time(_ value: Timestamp) {
        bytes.append(UInt8(ascii: "\""))
        bytes.append(atMost: Timestamp.length) { $0.append(value) }
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func id<Noun>(_ value: ID<Noun>?) {
        guard let value else { return null() }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(atMost: ID<Noun>.length) { $0.append(value) }
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func null() { bytes.append(contentsOf: "null".utf8) }

    package mutating func bool(_ value: Bool) {
        bytes.append(contentsOf: value ? "true".utf8 : "false".utf8)
    }

    /// Our own counts stop at 2^53, which every reader keeps exact.
    package mutating func integer(_ value: Int64) { append(min(value, JSON.integerMax)) }

    package mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            // Nearly every text goes out as it is, in one copy.
            if utf8.contains(where: Self.needsEscape) {
                for byte in utf8 { escape(byte) }
            } else {
                bytes.append(contentsOf: utf8)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func escape(_ byte: UInt8) {
        guard Self.needsEscape(byte) else { return bytes.append(byte) }
        bytes.append(UInt8(ascii: "\\"))
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            bytes.append(byte)
        } else {
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(contentsOf: Hex.text(of: CollectionOfOne(byte)).utf8)
        }
    }

    /// A piece of JSON that is written already.
    package mutating func raw(_ encoded: String.UTF8View) { bytes.append(contentsOf: encoded) }

    /// 64 bits have 19 digits and a sign at most.
    private mutating func append(_ value: Int64) {
        bytes.append(atMost: 20) { $0.append(decimal: value) }
    }

    /// A comma, unless the value opens its array or object.
    private mutating func separate() {
        guard let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") else {
            return
        }
        bytes.append(UInt8(ascii: ","))
    }
}
