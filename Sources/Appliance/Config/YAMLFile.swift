/// One value of a configuration file, with the dotted name of its key and where it stands.
package struct YAMLEntry: Equatable, Sendable {
    package let key: String
    package let values: [String]
    package let line: Int
    package let isList: Bool
}

/// Reads the part of YAML that a configuration is: mappings of mappings, scalars, and lists of
/// scalars.
package struct YAMLFile {
    package typealias Failure = YAMLNode.Failure

    private var entries: [YAMLEntry] = []

    package static func entries(of text: [UInt8]) throws(Failure) -> [YAMLEntry] {
        guard let root = try YAMLNode.parse(text) else { return [] }
        var file = YAMLFile()
        switch root.content {
        case .mapping(let members): try file.read(members, prefix: "")
        case .scalar("", isPlain: true): break
        case .scalar, .list:
            throw Failure(line: root.line, reason: "expected keys and values")
        }
        return file.entries
    }

    private mutating func read(
        _ members: [YAMLNode.Member], prefix: String
    ) throws(Failure) {
        for member in members {
            let name = prefix.isEmpty ? member.key : "\(prefix).\(member.key)"
            switch member.value.content {
            case .mapping(let members): try read(members, prefix: name)
            case .scalar(let text, _): try add(name, [text], member.line, isList: false)
            case .list(let elements):
                try add(name, try Self.texts(elements), member.line, isList: true)
            }
        }
    }

    private static func texts(_ elements: [YAMLNode]) throws(Failure) -> [String] {
        var texts: [String] = []
        for element in elements {
            guard case .scalar(let text, _) = element.content else {
                throw Failure(line: element.line, reason: "expected a plain value in the list")
            }
            texts.append(text)
        }
        return texts
    }

    private mutating func add(
        _ name: String, _ values: [String], _ line: Int, isList: Bool
    ) throws(Failure) {
        // Also where one is written with dots and the other is not.
        if let first = entries.first(where: { $0.key == name }) {
            throw Failure(line: line, reason: "\(name) stands in line \(first.line) already")
        }
        entries.append(YAMLEntry(key: name, values: values, line: line, isList: isList))
    }
}
