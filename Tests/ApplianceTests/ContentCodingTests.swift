import HTTPTypes
import Testing

@testable import Appliance

@Suite("Content codings and entity tags")
struct ContentCodingTests {
    private static func taken(_ field: String?) -> [ContentCoding] {
        var headers = HTTPFields()
        headers[.acceptEncoding] = field
        let accepted = AcceptedCodings(headers)
        return ContentCoding.allCases.filter { accepted.contains($0) }
    }

    @Test(
        "what a client names is taken, what it refuses is not",
        arguments: [
            ("gzip, deflate, br, zstd", [ContentCoding.brotli, .gzip, .identity]),
            ("gzip", [.gzip, .identity]),
            ("GZIP;q=0.5", [.gzip, .identity]),
            ("br;q=0, gzip;q=1", [.gzip, .identity]),
            ("br ; q=0.000,gzip", [.gzip, .identity]),
            ("*", [.brotli, .gzip, .identity]),
            ("*;q=0", [.identity]),
            ("br;q=0, *", [.gzip, .identity]),
            ("", [.identity]),
            (", ;q=1,", [.identity]),
        ])
    func accepted(field: String, codings: [ContentCoding]) {
        #expect(Self.taken(field) == codings)
    }

    @Test("without the field the plain bytes are sent")
    func silent() { #expect(Self.taken(nil) == [.identity]) }

    @Test(
        "a tag is found in a list, weak or strong, and not as a part of another",
        arguments: [
            ("\"a-br\"", true), ("W/\"a-br\"", true), ("\"x\", \"a-br\"", true), ("*", true),
            ("\"a-gzip\"", false), ("\"a-br2\"", false), ("a-br", false), ("", false),
        ])
    func tags(field: String, matches: Bool) {
        var headers = HTTPFields()
        headers[.ifNoneMatch] = field
        #expect(EntityTags.match("\"a-br\"", in: headers) == matches)
    }
}
