import Domain

extension NodeName {
    private static func path(in directory: String) -> String { directory + "/node" }

    /// The name of the node that has this data directory; made with its first start as one.
    static func kept(in directory: String) throws(Problem) -> NodeName {
        if let found = try found(in: directory) { return found }
        var random = SystemRandomNumberGenerator()
        let made = NodeName(using: &random)
        do throws(SafeFile.Failure) {
            if try SafeFile.create(Array("\(made)\n".utf8), at: path(in: directory)) {
                return made
            }
        } catch {
            throw .internal(cause: error.reason)
        }
        // Another process has made it meanwhile; the store will let only one of both in.
        guard let found = try found(in: directory) else {
            throw .internal(cause: "\(path(in: directory)) comes and goes")
        }
        return found
    }

    /// Nil where no node has run.
    static func found(in directory: String) throws(Problem) -> NodeName? {
        let path = path(in: directory)
        guard SafeFile.exists(path) else { return nil }
        let bytes: [UInt8]
        do throws(SafeFile.Failure) {
            bytes = try SafeFile.read(path, bytesMax: 1024)
        } catch {
            throw .internal(cause: error.reason)
        }
        // What this directory's counter file has is told from what the store has under the name:
        // with a new one it would be counted again, or never.
        let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard let name = NodeName(text) else {
            throw .internal(cause: "\(path) holds no name of a node")
        }
        return name
    }
}
