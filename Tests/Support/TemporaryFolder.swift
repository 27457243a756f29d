import Glibc

/// A folder that is gone after the test.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/gatehouse-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(what: "no temporary folder") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    package struct Failure: Error {
        let what: String

        package init(what: String) { self.what = what }
    }

    deinit {
        Self.removeTree(path)
    }

    private static func removeTree(_ path: String) {
        guard let names = FolderListing.names(in: path) else {
            unlink(path)
            return
        }
        for name in names { removeTree("\(path)/\(name)") }
        rmdir(path)
    }
}

/// What lies in a folder.
package enum FolderListing {
    /// Sorted; throws when there is no such folder.
    package static func files(in path: String) throws -> [String] {
        guard let names = names(in: path) else {
            throw TemporaryFolder.Failure(what: "no folder \(path)")
        }
        return names.sorted()
    }

    /// Nil for what is no folder.
    fileprivate static func names(in path: String) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
