import CPostgres

/// Values on their way to a statement, in the form that libpq takes.
///
/// Each goes with its type, so that a statement means the same wherever a value stands in it, as a
/// column's or as one of a SELECT list. A NULL goes without: its place says which it would be.
/// Numbers are sent as text, which any type of number reads; text and bytes as they are, with their
/// length, so that a NUL in a text is the server's to refuse and cuts nothing off.
struct PostgresBinding {
    private enum OID {
        static let bytea: Oid = 17
        static let int8: Oid = 20
        static let text: Oid = 25
    }

    private var types: [Oid] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []
    private var places: [Int?] = []
    /// All values behind one another, each with a NUL at its end.
    private var bytes: [UInt8] = []

    init(_ values: [SQL.Value]) {
        for value in values {
            switch value {
            case .null: add(nil, of: 0, format: 0)
            case .integer(let integer): add(Array(String(integer).utf8), of: OID.int8, format: 0)
            case .text(let text): add(Array(text.utf8), of: OID.text, format: 1)
            case .bytes(let value): add(value, of: OID.bytea, format: 1)
            }
        }
    }

    private mutating func add(_ value: [UInt8]?, of type: Oid, format: Int32) {
        types.append(type)
        formats.append(format)
        lengths.append(Int32(value?.count ?? 0))
        places.append(value.map { _ in bytes.count })
        if let value { bytes += value + [0] }
    }

    /// Each of these returns 1 when libpq took it.
    func prepare(_ text: String, as name: String, on handle: OpaquePointer) -> Int32 {
        PQsendPrepare(handle, name, text, Int32(types.count), types)
    }

    func run(prepared name: String, on handle: OpaquePointer) -> Int32 {
        withPointers {
            PQsendQueryPrepared(handle, name, Int32(types.count), $0, lengths, formats, 0)
        }
    }

    func run(_ text: String, on handle: OpaquePointer) -> Int32 {
        withPointers {
            PQsendQueryParams(
                handle, text, Int32(types.count), types, $0, lengths, formats, 0)
        }
    }

    private func withPointers(_ body: ([UnsafePointer<CChar>?]) -> Int32) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            return body(places.map { place in place.flatMap { start?.advanced(by: $0) } })
        }
    }
}
