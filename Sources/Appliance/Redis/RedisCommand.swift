import Crypto
import Domain

/// A command as it goes over the wire: an array of bulk strings.
struct RedisCommand: Sendable {
    /// The first word, for spans.
    let name: String
    let bytes: [UInt8]

    /// - Parameter words: the command's name and what it is about; any bytes.
    init(_ name: String, _ words: [[UInt8]] = []) {
        self.name = name
        var bytes: [UInt8] = []
        bytes.reserveCapacity(words.reduce(32 + name.utf8.count) { $0 + $1.count + 16 })
        Self.write("*", words.count + 1, into: &bytes)
        Self.write(name.utf8, into: &bytes)
        for word in words { Self.write(word, into: &bytes) }
        self.bytes = bytes
    }

    init(_ name: String, _ words: String...) {
        self.init(name, words.map { Array($0.utf8) })
    }

    private static func write(_ word: some Collection<UInt8>, into bytes: inout [UInt8]) {
        write("$", word.count, into: &bytes)
        bytes += word
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func write(_ sign: String, _ count: Int, into bytes: inout [UInt8]) {
        bytes += sign.utf8
        bytes += String(count).utf8
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }
}

/// A script in Lua, which the server runs as one step that no other command comes between. It is
/// called by its hash, and sent whole to a server that does not know it yet.
struct RedisScript: Sendable {
    private let source: String
    /// SHA-1 is how the server names scripts; nothing is proved by it.
    private let hash: String

    /// Make one for a `static let`: the hash is computed here.
    init(_ source: String) {
        self.source = source
        hash = Hex.text(of: Insecure.SHA1.hash(data: Array(source.utf8)))
    }

    /// - Parameter isKnown: whether the server is thought to have it.
    func command(
        _ keys: [String], _ arguments: [[UInt8]], isKnown: Bool
    ) -> RedisCommand {
        let script = Array((isKnown ? hash : source).utf8)
        let words = [script, Array(String(keys.count).utf8)] + keys.map { Array($0.utf8) }
        return RedisCommand(isKnown ? "EVALSHA" : "EVAL", words + arguments)
    }
}
