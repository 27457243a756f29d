import Domain

/// What a backup says of itself, as JSON at its beginning.
package struct BackupManifest: Equatable, Sendable {
    /// What can be in a backup. A raw value is the part's name, and the file's that it becomes.
    package enum PartName: String, CaseIterable, Sendable {
        case store = "gatehouse.db"
        case signingKeys = "signing-keys.json"
        case sealingKeys = "sealing-keys.json"
        case configuration = "gatehouse.yaml"
    }

    package struct Part: Equatable, Sendable {
        package let name: PartName
        package let bytes: Int64
        /// In hexadecimal digits.
        package let sha256: String
    }

    package struct Table: Equatable, Sendable {
        package let name: String
        package let rows: Int64
    }

    /// Of the program that made it.
    package let version: String
    package let schema: Int
    package let sqlite: String
    package let createdAt: Timestamp
    package let isEncrypted: Bool
    /// Sorted by name.
    package let tables: [Table]
    /// In the order of their bytes in the file; the store is one of them.
    package let parts: [Part]

    package var rows: Int64 { tables.reduce(0) { $0 + $1.rows } }

    /// Some 20 tables and 4 parts are 2 KB.
    static let bytesMax = 1 << 20

    // MARK: JSON

    package func write(into json: inout JSONWriter) {
        json.object { json in
            json.member("version", version)
            json.member("schema", Int64(schema))
            json.member("sqlite", sqlite)
            json.member("created_at", createdAt)
            json.member("encrypted", isEncrypted)
            json.member("rows") { json in
                json.object { json in
                    for table in tables { json.member(table.name, table.rows) }
                }
            }
            json.member("parts") { json in
                json.array(parts) { json, part in
                    json.object { json in
                        json.member("name", part.name.rawValue)
                        json.member("bytes", part.bytes)
                        json.member("sha256", part.sha256)
                    }
                }
            }
        }
    }

    var encoded: [UInt8] {
        var json = JSONWriter(capacity: 4096)
        write(into: &json)
        return json.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(BackupFailure) -> BackupManifest {
        let json: JSON
        do throws(JSONParser.Failure) {
            json = try JSONParser.parse(bytes)
        } catch {
            throw .damaged("Its manifest is not JSON: \(error.reason).")
        }
        guard case .string(let version)? = json["version"],
            case .integer(let schema)? = json["schema"],
            case .string(let sqlite)? = json["sqlite"],
            case .string(let made)? = json["created_at"], let createdAt = Timestamp(made),
            case .bool(let isEncrypted)? = json["encrypted"],
            case .object(let rows)? = json["rows"], case .array(let elements)? = json["parts"]
        else { throw .damaged("Its manifest lacks a member.") }
        let parts = elements.compactMap(part)
        let tables = rows.compactMap { row -> Table? in
            guard case .integer(let count) = row.value else { return nil }
            return Table(name: row.name, rows: count)
        }
        let names = Set(parts.map(\.name))
        guard parts.count == elements.count, names.count == parts.count, names.contains(.store),
            tables.count == rows.count
        else { throw .damaged("Its manifest names parts that this program does not know.") }
        return BackupManifest(
            version: version, schema: Int(schema), sqlite: sqlite, createdAt: createdAt,
            isEncrypted: isEncrypted, tables: tables, parts: parts)
    }

    private static func part(_ json: JSON) -> Part? {
        guard case .string(let word)? = json["name"], let name = PartName(rawValue: word),
            case .integer(let bytes)? = json["bytes"], bytes >= 0,
            case .string(let sha256)? = json["sha256"]
        else { return nil }
        return Part(name: name, bytes: bytes, sha256: sha256)
    }
}
