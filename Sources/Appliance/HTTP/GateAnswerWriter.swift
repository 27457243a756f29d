import Domain
import NIOCore
import NIOHTTP1

/// The gate's answers as bytes, head and body, in memory that is used again: a warm one allocates
/// nothing. A value, so that the handler enters it once for each answer.
struct GateAnswerWriter {
    private let requestIDs: RequestIDs
    private let isSecure: Bool
    private var body = [UInt8](repeating: 0, count: 1024)
    private var lastAnswer = ByteBuffer()
    private var date = HTTPDate()

    init(requestIDs: RequestIDs, isSecure: Bool) {
        self.requestIDs = requestIDs
        self.isSecure = isSecure
    }

    /// A grant's status line and the headers that every answer has.
    private static let grantHead =
        "HTTP/1.1 200 OK\r\n"
        + SecurityFields.json.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()

    mutating func grant(
        _ identity: Identity, _ states: [LimitState], requestID: String?, at now: Timestamp
    ) -> ByteBuffer {
        let length = write { identity.grant(states, into: &$0) }
        let date = date.text(at: now)
        return answer { [requestIDs, isSecure, body] bytes in
            bytes.append(Self.grantHead)
            identity.write(into: &bytes)
            RateLimitFields.write(states, at: now, into: &bytes)
            Self.writeLength(length, into: &bytes)
            requestIDs.write(for: requestID, into: &bytes)
            Self.writeEnd(date, isSecure: isSecure, into: &bytes)
            body.withUnsafeBytes { bytes.append(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
        }
    }

    mutating func refusal(_ refusal: Answer, requestID: String, at now: Timestamp) -> ByteBuffer {
        let code = refusal.status.code
        let reason = HTTPResponseStatus(statusCode: code).reasonPhrase
        let date = date.text(at: now)
        return answer { [isSecure] bytes in
            bytes.append("HTTP/1.1 \(code) \(reason)\r\n")
            for field in refusal.headers {
                bytes.append("\(field.name.rawName): \(field.value)\r\n")
            }
            Self.writeLength(refusal.body.readableBytes, into: &bytes)
            bytes.append(requestID)
            Self.writeEnd(date, isSecure: isSecure, into: &bytes)
            refusal.body.withUnsafeReadableBytes { bytes.append($0) }
        }
    }

    // The headers that the front gives every answer, in its order.

    private static func writeLength(_ length: Int, into bytes: inout ByteWriter) {
        bytes.append("Content-Length: ")
        bytes.append(decimal: Int64(length))
        bytes.append("\r\nX-Request-Id: ")
    }

    private static func writeEnd(
        _ date: String, isSecure: Bool, into bytes: inout ByteWriter
    ) {
        bytes.append("\r\n")
        if isSecure { bytes.append(SecurityFields.strictTransportLine) }
        bytes.append("Date: ")
        bytes.append(date)
        bytes.append("\r\n\r\n")
    }

    // MARK: Memory

    /// Writes the body, whose length the head has to say; returns it.
    private mutating func write(body write: (inout ByteWriter) -> Void) -> Int {
        while true {
            let length: Int? = body.withUnsafeMutableBytes { memory in
                var bytes = ByteWriter(memory)
                write(&bytes)
                return bytes.isShort ? nil : bytes.count
            }
            if let length { return length }
            body = [UInt8](repeating: 0, count: 2 * body.count)
        }
    }

    /// Writes into the memory of the answer before, unless that one is not sent yet: then it is
    /// shared, and clearing it takes new memory.
    private mutating func answer(_ write: (inout ByteWriter) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        swap(&buffer, &lastAnswer)
        var room = max(2048, buffer.capacity)
        while true {
            buffer.clear(minimumCapacity: room)
            let length = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { memory in
                var bytes = ByteWriter(memory)
                write(&bytes)
                return bytes.isShort ? 0 : bytes.count
            }
            if length > 0 { break }
            room *= 2
        }
        lastAnswer = buffer
        return buffer
    }
}
