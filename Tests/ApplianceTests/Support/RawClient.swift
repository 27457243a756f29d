import NIOCore
import NIOPosix
import Support

/// One connection that is written to byte by byte: for what a well-bred client never sends.
struct RawClient: Sendable {
    let port: Int

    /// Sends the parts, each as a write of its own, and reads until that many answers have come.
    /// Answers to HEAD are not understood.
    func exchange(_ parts: [String], answers: Int) async throws -> [String] {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            for part in parts { try await outbound.write(ByteBuffer(string: part)) }
            var received = ""
            var found: [String] = []
            for try await bytes in inbound {
                received += String(buffer: bytes)
                while let answer = Self.takeAnswer(from: &received) { found.append(answer) }
                if found.count >= answers { return found }
            }
            throw TemporaryFolder.Failure(what: "\(found.count) answers, then: \(received)")
        }
    }

    /// The first whole answer, cut out of the text.
    private static func takeAnswer(from text: inout String) -> String? {
        let bytes = Array(text.utf8)
        guard let head = text.firstRange(of: "\r\n\r\n") else { return nil }
        let headBytes = text[..<head.upperBound].utf8.count
        let length = text[..<head.lowerBound].split(separator: "\r\n")
            .first { $0.lowercased().hasPrefix("content-length: ") }
            .flatMap { Int($0.dropFirst(16)) }
        let count = headBytes + (length ?? 0)
        guard bytes.count >= count else { return nil }
        text = String(decoding: bytes[count...], as: UTF8.self)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
