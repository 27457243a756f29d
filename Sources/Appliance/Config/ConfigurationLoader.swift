import Glibc

/// Where the configuration comes from: the defaults, a file over them, credentials of the service
/// manager over it, the environment over all.
package enum ConfigurationLoader {
    /// One line that says where the mistake is and what was expected.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Files that are tried when none is named.
    package static let standardPaths = ["./config/gatehouse.yaml", systemPath]

    /// The machine's own installation, as the Debian package makes it: a command that is run
    /// without options means that one, so its data directory comes with its file.
    package static let systemPath = "/etc/gatehouse/gatehouse.yaml"
    package static let systemDataDirectory = "/var/lib/gatehouse"

    /// - Parameter file: what `--config` names; nil takes the first standard file that is there.
    package static func load(
        file: String?, environment: [String: String]
    ) throws(Failure) -> Configuration {
        var configuration = Configuration()
        if let path = file ?? standardPaths.first(where: { access($0, F_OK) == 0 }) {
            let text: [UInt8]
            do {
                text = try SafeFile.read(path, bytesMax: 1 << 20)
            } catch {
                throw Failure(description: "\(path): \(error.reason)")
            }
            try apply(text, from: path, to: &configuration)
            configuration.file = path
            if path == systemPath { configuration.dataDirectory = systemDataDirectory }
        }
        if let directory = environment["CREDENTIALS_DIRECTORY"], !directory.isEmpty {
            try apply(credentialsIn: directory, to: &configuration)
        }
        try apply(environment, to: &configuration)
        let mistake =
            configuration.contradiction ?? configuration.mailMistake ?? configuration.redisMistake
        if let mistake { throw Failure(description: mistake) }
        return configuration
    }

    package static func apply(
        _ text: [UInt8], from path: String, to configuration: inout Configuration
    ) throws(Failure) {
        let entries: [YAMLEntry]
        do throws(YAMLFile.Failure) {
            entries = try YAMLFile.entries(of: text)
        } catch {
            throw Failure(description: "\(path):\(error.line): \(error.reason)")
        }
        for entry in entries {
            guard let key = ConfigurationKey.all.first(where: { $0.name == entry.key }) else {
                let hint = nearest(entry.key).map { "; did you mean \($0)?" } ?? ""
                throw Failure(
                    description: "\(path):\(entry.line): unknown key \(entry.key)\(hint)")
            }
            guard key.isList == entry.isList, key.set(&configuration, entry.values) else {
                throw Failure(
                    description: "\(path):\(entry.line): \(key.name): expected \(key.expected)")
            }
        }
    }

    /// Files named after a key, such as `backup.key_file`, that systemd has put there
    /// (systemd.exec(5), LoadCredential=). Others, such as a key itself, are their readers'
    /// business.
    private static func apply(
        credentialsIn directory: String, to configuration: inout Configuration
    ) throws(Failure) {
        let names: [String]
        do {
            names = try SafeFile.names(in: directory)
        } catch {
            throw Failure(description: "CREDENTIALS_DIRECTORY: \(error.reason)")
        }
        for name in names.sorted() {
            guard sections.contains(where: { name.hasPrefix($0.credential) }) else { continue }
            let path = "\(directory)/\(name)"
            guard let key = ConfigurationKey.all.first(where: { $0.name == name }) else {
                let hint = nearest(name).map { "; did you mean \($0)?" } ?? ""
                throw Failure(description: "\(path): unknown key \(name)\(hint)")
            }
            var bytes: [UInt8]
            do {
                bytes = try SafeFile.read(path, bytesMax: 64 * 1024)
            } catch {
                throw Failure(description: "\(error.reason) (\(key.name))")
            }
            // What an editor or `echo` leaves behind a secret is not part of it.
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            guard key.set(&configuration, texts(String(decoding: bytes, as: UTF8.self), key))
            else {
                throw Failure(description: "\(path): \(key.name): expected \(key.expected)")
            }
        }
    }

    /// A list is separated by commas where there is one line for it.
    private static func texts(_ value: String, _ key: ConfigurationKey) -> [String] {
        key.isList ? value.split(separator: ",").map { String($0.filter { $0 != " " }) } : [value]
    }

    private static func apply(
        _ environment: [String: String], to configuration: inout Configuration
    ) throws(Failure) {
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            // Other programs have variables of that prefix too; ours begin with a section's name.
            guard sections.contains(where: { name.hasPrefix($0.environment) }) else { continue }
            guard let key = ConfigurationKey.all.first(where: { $0.environmentName == name })
            else { throw Failure(description: "environment: unknown variable \(name)") }
            guard key.set(&configuration, texts(value, key)) else {
                throw Failure(
                    description: "environment: \(name) (\(key.name)): expected \(key.expected)")
            }
        }
    }

    /// How names of ours begin, where other programs' names may be too.
    private static let sections: [(environment: String, credential: String)] =
        Set(ConfigurationKey.all.compactMap { $0.name.split(separator: ".").first })
        .map { ("GATEHOUSE_\($0.uppercased())_", "\($0).") }

    /// The known key that shares the longest beginning or the last word with a mistyped one.
    private static func nearest(_ name: String) -> String? {
        let last = name.split(separator: ".").last.map(String.init) ?? name
        if let same = ConfigurationKey.all.first(where: { $0.name.hasSuffix("." + last) }) {
            return same.name
        }
        let best = ConfigurationKey.all.map { ($0.name, $0.name.commonPrefix(with: name)) }
            .max { $0.1 < $1.1 }
        return best.flatMap { $0.1 >= 8 ? $0.0 : nil }
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> Int {
        zip(utf8, other.utf8).prefix { $0 == $1 }.count
    }
}
