import Domain
import NIOCore
import NIOHTTP1

/// The gate's answers as bytes, head and body, in memory that is used again: a warm one allocates
/// nothing. A value, so that the handler enters it once for each answer.
struct GateAnswerWriter {
    private let requestIDs: RequestIDs
    private let isSecure: Bool
    private var body = JSONWriter(capacity: 1024)
    private var fields: [UInt8] = []
    private var lastAnswer = ByteBuffer()
    private var date = HTTPDate()

    init(requestIDs: RequestIDs, isSecure: Bool) {
        self.requestIDs = requestIDs
        self.isSecure = isSecure
        fields.reserveCapacity(1024)
    }

    /// A grant's status line and the headers that every answer has.
    private static let grantHead =
        Array("HTTP/1.1 200 OK\r\n".utf8)
        + SecurityFields.json.flatMap { Array("\($0.name.rawName): \($0.value)\r\n".utf8) }

    mutating func grant(
        _ identity: Identity, _ states: [LimitState], requestID: String?, at now: Timestamp
    ) -> ByteBuffer {
        body.removeAll()
        identity.grant(states, into: &body)
        begin(Self.grantHead)
        identity.write(into: &fields)
        RateLimitFields.write(states, at: now, into: &fields)
        writeLength(body.bytes.count)
        requestIDs.write(for: requestID, into: &fields)
        writeEnd(at: now)
        var buffer = emptyAnswer(capacity: fields.count + body.bytes.count)
        buffer.writeBytes(fields)
        buffer.writeBytes(body.bytes)
        lastAnswer = buffer
        return buffer
    }

    mutating func refusal(_ answer: Answer, requestID: String, at now: Timestamp) -> ByteBuffer {
        let code = answer.status.code
        let reason = HTTPResponseStatus(statusCode: code).reasonPhrase
        begin("HTTP/1.1 \(code) \(reason)\r\n".utf8)
        for field in answer.headers {
            fields.append(contentsOf: "\(field.name.rawName): \(field.value)\r\n".utf8)
        }
        writeLength(answer.body.readableBytes)
        fields.append(contentsOf: requestID.utf8)
        writeEnd(at: now)
        var buffer = emptyAnswer(capacity: fields.count + answer.body.readableBytes)
        buffer.writeBytes(fields)
        buffer.writeImmutableBuffer(answer.body)
        lastAnswer = buffer
        return buffer
    }

    private mutating func begin(_ head: some Sequence<UInt8>) {
        fields.removeAll(keepingCapacity: true)
        fields.append(contentsOf: head)
    }

    // The headers that the front gives every answer, in its order.

    private mutating func writeLength(_ bytes: Int) {
        fields.append(contentsOf: "Content-Length: ".utf8)
        fields.append(decimal: Int64(bytes))
        fields.append(contentsOf: "\r\nX-Request-Id: ".utf8)
    }

    private mutating func writeEnd(at now: Timestamp) {
        fields.append(contentsOf: "\r\n".utf8)
        if isSecure { fields.append(contentsOf: SecurityFields.strictTransportLine.utf8) }
        fields.append(contentsOf: "Date: ".utf8)
        date.write(now, into: &fields)
        fields.append(contentsOf: "\r\n\r\n".utf8)
    }

    /// The memory of the answer before, unless that one is not written yet: then it is shared, and
    /// clearing it takes new memory.
    private mutating func emptyAnswer(capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        swap(&buffer, &lastAnswer)
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }
}
