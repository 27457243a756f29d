import CYAML
import Domain

/// One value of a YAML file, with the line it stands in. libyaml parses; this keeps the lines,
/// which libraries that decode into dictionaries throw away.
package struct YAMLNode: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        /// `isPlain`: without quotes, so that it may stand for a number, a boolean or nothing.
        case scalar(String, isPlain: Bool)
        case list([YAMLNode])
        case mapping([Member])
    }

    package struct Member: Equatable, Sendable {
        package let key: String
        package let line: Int
        package let value: YAMLNode
    }

    package struct Failure: Error, Equatable {
        package let line: Int
        package let reason: String
    }

    package let line: Int
    package let content: Content

    /// The first document; nil when there is none.
    package static func parse(_ text: [UInt8]) throws(Failure) -> YAMLNode? {
        let parser = try YAMLParser(text)
        return try parser.document()
    }

    /// As JSON has it. Plain words are read by YAML 1.2's core schema; a number that is no integer
    /// stays text.
    package var json: JSON {
        switch content {
        case .scalar(let text, isPlain: false): .string(text)
        case .scalar(let text, isPlain: true): Self.plain(text)
        case .list(let elements): .array(elements.map(\.json))
        case .mapping(let members): .object(members.map { JSON.Member($0.key, $0.value.json) })
        }
    }

    private static func plain(_ text: String) -> JSON {
        switch text {
        case "", "~", "null": .null
        case "true": .bool(true)
        case "false": .bool(false)
        default: Int64(text).map { .integer($0) } ?? .string(text)
        }
    }

    /// The lines of everything in it, by paths such as `[0].limits.max_items`.
    package var lines: [String: Int] {
        var found: [String: Int] = [:]
        collect("", into: &found)
        return found
    }

    private func collect(_ path: String, into found: inout [String: Int]) {
        found[path] = found[path] ?? line
        switch content {
        case .scalar: return
        case .list(let elements):
            for (index, element) in elements.enumerated() {
                element.collect("\(path)[\(index)]", into: &found)
            }
        case .mapping(let members):
            for member in members {
                let name = path.isEmpty ? member.key : "\(path).\(member.key)"
                found[name] = member.line
                member.value.collect(name, into: &found)
            }
        }
    }
}

/// Builds the tree from libyaml's events.
private final class YAMLParser {
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    private let input: UnsafeMutableBufferPointer<UInt8>

    private static let depthMax = 8

    init(_ text: [UInt8]) throws(YAMLNode.Failure) {
        input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(text.count, 1))
        _ = input.initialize(from: text)
        guard yaml_parser_initialize(parser) == 1 else {
            throw YAMLNode.Failure(line: 0, reason: "no memory to read it")
        }
        yaml_parser_set_input_string(parser, input.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    private struct Event {
        let type: yaml_event_type_t
        let line: Int
        let text: String
        let isPlain: Bool
    }

    private func next() throws(YAMLNode.Failure) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else {
            let reason = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
            throw YAMLNode.Failure(
                line: Int(parser.pointee.problem_mark.line) + 1, reason: reason)
        }
        defer { yaml_event_delete(&event) }
        var text = ""
        if event.type == YAML_SCALAR_EVENT, let value = event.data.scalar.value {
            text = String(
                decoding: UnsafeBufferPointer(start: value, count: event.data.scalar.length),
                as: UTF8.self)
        }
        let isPlain =
            event.type == YAML_SCALAR_EVENT && event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
        return Event(
            type: event.type, line: Int(event.start_mark.line) + 1, text: text, isPlain: isPlain)
    }

    func document() throws(YAMLNode.Failure) -> YAMLNode? {
        var event = try next()
        while event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT {
            event = try next()
        }
        return event.type == YAML_STREAM_END_EVENT ? nil : try node(event, "", depth: 0)
    }

    private func node(
        _ event: Event, _ path: String, depth: Int
    ) throws(YAMLNode.Failure) -> YAMLNode {
        guard depth <= Self.depthMax else {
            throw YAMLNode.Failure(line: event.line, reason: "nested too deep")
        }
        let content: YAMLNode.Content
        switch event.type {
        case YAML_SCALAR_EVENT: content = .scalar(event.text, isPlain: event.isPlain)
        case YAML_SEQUENCE_START_EVENT: content = .list(try list(path, depth))
        case YAML_MAPPING_START_EVENT: content = .mapping(try mapping(path, depth))
        default:
            throw YAMLNode.Failure(line: event.line, reason: "aliases are not used here")
        }
        return YAMLNode(line: event.line, content: content)
    }

    private func list(_ path: String, _ depth: Int) throws(YAMLNode.Failure) -> [YAMLNode] {
        var found: [YAMLNode] = []
        while true {
            let event = try next()
            if event.type == YAML_SEQUENCE_END_EVENT { return found }
            found.append(try node(event, "\(path)[\(found.count)]", depth: depth + 1))
        }
    }

    private func mapping(
        _ path: String, _ depth: Int
    ) throws(YAMLNode.Failure) -> [YAMLNode.Member] {
        var found: [YAMLNode.Member] = []
        var lines: [String: Int] = [:]
        while true {
            let key = try next()
            if key.type == YAML_MAPPING_END_EVENT { return found }
            guard key.type == YAML_SCALAR_EVENT else {
                throw YAMLNode.Failure(line: key.line, reason: "expected a key")
            }
            let name = path.isEmpty ? key.text : "\(path).\(key.text)"
            if let first = lines.updateValue(key.line, forKey: key.text) {
                throw YAMLNode.Failure(
                    line: key.line, reason: "\(name) stands in line \(first) already")
            }
            let value = try node(try next(), name, depth: depth + 1)
            found.append(YAMLNode.Member(key: key.text, line: key.line, value: value))
        }
    }
}
