import Foundation

/// A file of the project: where it is, what it says, and, if it is Swift, what of that is code.
struct SourceFile: Sendable {
    /// From the project's root: `Sources/Domain/Plan.swift`.
    let path: String
    let lines: [String]
    let scan: Scan

    init(path: String, text: String) {
        self.path = path
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        self.lines = lines
        scan = Scan(path.hasSuffix(".swift") ? text : "")
    }
}

/// The project's files, found from where this file was compiled and read once.
enum Tree {
    static let files: Result<[SourceFile], any Error> = Result { try read(root()) }

    /// GATEHOUSE_ROOT names another tree, for trying these rules on it.
    static func root() -> URL {
        if let root = ProcessInfo.processInfo.environment["GATEHOUSE_ROOT"] {
            return URL(fileURLWithPath: root, isDirectory: true)
        }
        return URL(fileURLWithPath: #filePath)  // <root>/Tests/HouseTests/Tree.swift
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    /// Every text file under the root that is or may be committed. What is listed but gone, and
    /// what is not UTF-8, has no text to hold to a rule.
    private static func read(_ root: URL) throws -> [SourceFile] {
        try paths(root).sorted().compactMap { path in
            let url = root.appendingPathComponent(path)
            guard FileManager.default.fileExists(atPath: url.path) else { return nil }
            guard let text = String(validating: try Data(contentsOf: url), as: UTF8.self) else {
                return nil
            }
            return SourceFile(path: path, text: text)
        }
    }

    /// By git, which knows what is ignored; from a tree without git by what names tell.
    private static func paths(_ root: URL) throws -> Set<String> {
        if let listed = try? gitPaths(root), !listed.isEmpty { return listed }
        let top = try FileManager.default.contentsOfDirectory(atPath: root.path).filter(isOurs)
        let all = try top.flatMap { name -> [String] in
            let url = root.appendingPathComponent(name)
            guard isFolder(url) else { return [name] }
            return try FileManager.default.subpathsOfDirectory(atPath: url.path)
                .map { "\(name)/\($0)" }
        }
        return Set(all.filter { isOurs($0) && !isFolder(root.appendingPathComponent($0)) })
    }

    private static func gitPaths(_ root: URL) throws -> Set<String>? {
        let git = Process()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = [
            "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
        ]
        git.currentDirectoryURL = root
        git.standardError = FileHandle.nullDevice
        let output = Pipe()
        git.standardOutput = output
        try git.run()
        let listed = output.fileHandleForReading.readDataToEndOfFile()
        git.waitUntilExit()
        guard git.terminationStatus == 0 else { return nil }
        return Set(String(decoding: listed, as: UTF8.self).split(separator: "\0").map(String.init))
    }

    private static func isOurs(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let first = parts.first, first != "data", first != "Package.resolved" else {
            return false
        }
        let hidden = parts.dropFirst(first == ".ci" || first == ".swift-format" ? 1 : 0)
        return !hidden.contains { $0.hasPrefix(".") || $0 == "__pycache__" }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
        return exists && isFolder.boolValue
    }
}
