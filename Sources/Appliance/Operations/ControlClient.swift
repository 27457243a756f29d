import Domain
import Glibc

/// The other end of the control socket: one request, one answer, then the connection closes.
struct ControlClient {
    let path: String

    struct Answer {
        let status: Int
        let body: [UInt8]
    }

    /// Far above a page of 200 users or the changes of a whole file of plans.
    private static let answerBytesMax = 16 << 20

    /// Nil when nobody listens there.
    func post(_ target: String, _ json: JSON) -> Answer? {
        send("POST", target, Array(json.encoded.utf8))
    }

    /// Nil when nobody listens there.
    func get(_ target: String) -> Answer? { send("GET", target, []) }

    private func send(_ method: String, _ target: String, _ body: [UInt8]) -> Answer? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor) else { return nil }
        let head = """
            \(method) \(target) HTTP/1.1\r
            Host: localhost\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            Connection: close\r
            \r

            """
        guard send(Array(head.utf8) + body, on: descriptor) else { return nil }
        return Self.parse(receive(on: descriptor))
    }

    private func connect(_ descriptor: Int32) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    private func send(_ bytes: [UInt8], on descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func receive(on descriptor: Int32) -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < Self.answerBytesMax {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            answer += buffer.prefix(count)
        }
        return answer
    }

    private static func parse(_ answer: [UInt8]) -> Answer? {
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n"),
            let status = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return Answer(status: status, body: Array(text[end.upperBound...].utf8))
    }
}
