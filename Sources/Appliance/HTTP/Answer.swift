import Domain
import HTTPTypes
import Hummingbird
import NIOCore

/// The headers of every answer (security H1), checked and joined once.
enum SecurityFields {
    static let all: HTTPFields = [
        .xContentTypeOptions: "nosniff", .referrerPolicy: "no-referrer",
        .openerPolicy: "same-origin",
        .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
        // An answer may hold a secret (RFC 6750, 5.3) or depend on who asked; routes that may be
        // kept by a cache say so.
        .cacheControl: "no-store",
    ]

    /// Only where the public URL is https: a year, for every subdomain (security H1).
    static let strictTransport = HTTPField(
        name: .strictTransportSecurity, value: "max-age=31536000; includeSubDomains")

    static let strictTransportLine =
        "\(strictTransport.name.rawName): \(strictTransport.value)\r\n"

    static let json: HTTPFields = {
        var fields = all
        fields[.contentType] = "application/json"
        return fields
    }()
}

/// What a route answers, before the headers that every answer has.
package struct Answer: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: ByteBuffer
    /// In place of `body`, when the whole is too large to be in memory.
    var stream: Stream?

    /// A body that is written one part after the other, when the client has taken the part before.
    struct Stream: Sendable {
        typealias Parts =
            @Sendable (_ write: (ByteBuffer) async throws -> Void) async throws -> Void

        /// Bytes, where that is known beforehand.
        var length: Int64?
        /// Called once. What it throws ends the connection, so a client sees the break.
        let parts: Parts
    }

    init(
        _ status: HTTPResponse.Status, headers: HTTPFields = SecurityFields.all,
        body: ByteBuffer = ByteBuffer()
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    static let noContent = Answer(.noContent)

    static func json(
        _ status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) -> Void
    ) -> Answer {
        var json = JSONWriter()
        write(&json)
        return .json(status, encoded: json.bytes)
    }

    static func json(_ status: HTTPResponse.Status = .ok, encoded: [UInt8]) -> Answer {
        Answer(status, headers: SecurityFields.json, body: ByteBuffer(bytes: encoded))
    }

    /// A page of a list: `{"items": […], "next_cursor": …}`.
    static func list<Element>(
        _ elements: [Element], nextCursor: String?,
        _ write: (inout JSONWriter, Element) -> Void
    ) -> Answer {
        .json { json in
            json.object { json in
                json.member("items") { $0.array(elements, write) }
                json.member("next_cursor", nextCursor)
            }
        }
    }

    static func text(_ type: String, _ text: some Sequence<UInt8>) -> Answer {
        Answer(.ok, body: ByteBuffer(bytes: text)).with(.contentType, type)
    }

    static func stream(_ type: String, _ stream: Stream) -> Answer {
        var answer = Answer(.ok).with(.contentType, type)
        answer.stream = stream
        return answer
    }

    func with(_ name: HTTPField.Name, _ value: String) -> Answer {
        var answer = self
        answer.headers[name] = value
        return answer
    }
}
