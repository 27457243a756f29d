import HTTPTypes

/// How the bytes of an answer are packed, the best first.
enum ContentCoding: String, CaseIterable, Sendable {
    case brotli = "br"
    case gzip
    case identity
}

/// What `Accept-Encoding` allows (RFC 9110, 12.5.3).
struct AcceptedCodings: Sendable {
    private var weights: [String: Bool] = [:]

    /// Without the field everything may come; the plain bytes suit whoever did not say.
    init(_ headers: HTTPFields) {
        for element in headers[values: .acceptEncoding].joined(separator: ",").split(separator: ",")
        {
            let parts = element.split(separator: ";").map { part in
                part.filter { $0 != " " && $0 != "\t" }.lowercased()
            }
            guard let name = parts.first, !name.isEmpty else { continue }
            // Only whether it is taken at all: which one is better is for the server to know.
            weights[name] = !parts.dropFirst().contains { Self.isZero($0) }
        }
    }

    /// `q=0`, `q=0.000`: refused.
    private static func isZero(_ parameter: String) -> Bool {
        guard parameter.hasPrefix("q=") else { return false }
        let digits = parameter.dropFirst(2)
        return !digits.isEmpty && digits.allSatisfy { $0 == "0" || $0 == "." }
    }

    func contains(_ coding: ContentCoding) -> Bool {
        if coding == .identity { return true }
        return weights[coding.rawValue] ?? weights["*"] ?? false
    }
}

/// `If-None-Match`: what a client has already (RFC 9110, 13.1.2).
enum EntityTags {
    static func match(_ tag: String, in headers: HTTPFields) -> Bool {
        headers[values: .ifNoneMatch].contains { field in
            field.split(separator: ",").contains { element in
                var given = element.drop { $0 == " " || $0 == "\t" }
                while given.last == " " || given.last == "\t" { given.removeLast() }
                if given.hasPrefix("W/") { given.removeFirst(2) }
                return given == "*" || given == tag[...]
            }
        }
    }
}
