import CAssets
import NIOCore

/// A file that the binary serves to browsers: a row of the table that tools/web-assets made.
struct Asset: Sendable {
    /// What its source is called, such as `console.css`.
    let name: String
    /// Where it is: with a hash of what is in it, so that it may be kept for ever.
    let path: String
    let type: String
    private let tag: String
    private let index: Int

    private init(index: Int) {
        self.index = index
        let row = asset_at(index).pointee
        name = String(cString: row.name)
        path = String(cString: row.path)
        type = String(cString: row.type)
        tag = String(cString: row.tag)
    }

    /// Empty in a binary that was built without web assets.
    static let all: [Asset] = (0..<asset_count()).map(Asset.init(index:))

    private static let byPath = table(\.path)
    private static let byName = table(\.name)

    private static func table(_ key: (Asset) -> String) -> [String: Asset] {
        Dictionary(all.map { (key($0), $0) }) { first, _ in first }
    }

    static func at(path: String) -> Asset? { byPath[path] }

    static func named(_ name: String) -> Asset? { byName[name] }

    /// The best that the client takes; what would not shrink is held as it is only.
    func coding(taken: AcceptedCodings) -> ContentCoding {
        ContentCoding.allCases.first { taken.contains($0) && content($0).count > 0 } ?? .identity
    }

    /// A strong tag: the same bytes in another coding are other bytes (RFC 9110, 8.8.3).
    func entityTag(_ coding: ContentCoding) -> String { "\"\(tag)-\(coding.rawValue)\"" }

    /// A copy: what is not asked for costs no memory beyond the program's own pages.
    func body(_ coding: ContentCoding) -> ByteBuffer {
        let content = content(coding)
        return ByteBuffer(bytes: UnsafeBufferPointer(start: content.bytes, count: content.count))
    }

    private func content(_ coding: ContentCoding) -> asset_content {
        let row = asset_at(index).pointee
        switch coding {
        case .brotli: return row.brotli
        case .gzip: return row.gzip
        case .identity: return row.identity
        }
    }
}
