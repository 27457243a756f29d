import CYAML

/// One value of a YAML file, with the dotted name of its key and where it stands.
package struct YAMLEntry: Equatable, Sendable {
    package let key: String
    package let values: [String]
    package let line: Int
    package let isList: Bool
}

/// Reads the part of YAML that a configuration is: mappings of mappings, scalars, and lists of
/// scalars. libyaml parses; this keeps the line of each key, which the libraries that decode into
/// dictionaries throw away.
package struct YAMLFile {
    package struct Failure: Error, Equatable {
        package let line: Int
        package let reason: String
    }

    private var parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private var entries: [YAMLEntry] = []

    package static func entries(of text: [UInt8]) throws(Failure) -> [YAMLEntry] {
        var file = YAMLFile()
        defer { file.parser.deallocate() }
        guard yaml_parser_initialize(file.parser) == 1 else {
            throw Failure(line: 0, reason: "no memory to read it")
        }
        defer { yaml_parser_delete(file.parser) }
        let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(text.count, 1))
        defer { input.deallocate() }
        _ = input.initialize(from: text)
        yaml_parser_set_input_string(file.parser, input.baseAddress, text.count)
        try file.readDocument()
        return file.entries
    }

    private struct Event {
        let type: yaml_event_type_t
        let line: Int
        let text: String
    }

    private func next() throws(Failure) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            let reason = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
            throw Failure(line: Int(parser.pointee.problem_mark.line) + 1, reason: reason)
        }
        defer { yaml_event_delete(&event) }
        var text = ""
        if event.type == YAML_SCALAR_EVENT, let value = event.data.scalar.value {
            text = String(
                decoding: UnsafeBufferPointer(start: value, count: event.data.scalar.length),
                as: UTF8.self)
        }
        return Event(type: event.type, line: Int(event.start_mark.line) + 1, text: text)
    }

    private mutating func readDocument() throws(Failure) {
        var event = try next()
        while event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT {
            event = try next()
        }
        switch event.type {
        case YAML_MAPPING_START_EVENT: try readMapping(prefix: "", depth: 0)
        case YAML_STREAM_END_EVENT: return
        case YAML_SCALAR_EVENT where event.text.isEmpty: return
        default: throw Failure(line: event.line, reason: "expected keys and values")
        }
    }

    private mutating func readMapping(prefix: String, depth: Int) throws(Failure) {
        guard depth < 8 else { throw Failure(line: 0, reason: "nested too deep") }
        while true {
            let key = try next()
            if key.type == YAML_MAPPING_END_EVENT { return }
            guard key.type == YAML_SCALAR_EVENT else {
                throw Failure(line: key.line, reason: "expected a key")
            }
            let name = prefix.isEmpty ? key.text : "\(prefix).\(key.text)"
            let value = try next()
            switch value.type {
            case YAML_MAPPING_START_EVENT: try readMapping(prefix: name, depth: depth + 1)
            case YAML_SCALAR_EVENT: try add(name, [value.text], key.line, isList: false)
            case YAML_SEQUENCE_START_EVENT:
                try add(name, try readList(), key.line, isList: true)
            default: throw Failure(line: value.line, reason: "aliases are not used here")
            }
        }
    }

    private func readList() throws(Failure) -> [String] {
        var found: [String] = []
        while true {
            let event = try next()
            if event.type == YAML_SEQUENCE_END_EVENT { return found }
            guard event.type == YAML_SCALAR_EVENT else {
                throw Failure(line: event.line, reason: "expected a plain value in the list")
            }
            found.append(event.text)
        }
    }

    private mutating func add(
        _ name: String, _ values: [String], _ line: Int, isList: Bool
    ) throws(Failure) {
        if let first = entries.first(where: { $0.key == name }) {
            throw Failure(line: line, reason: "\(name) stands in line \(first.line) already")
        }
        entries.append(YAMLEntry(key: name, values: values, line: line, isList: isList))
    }
}
