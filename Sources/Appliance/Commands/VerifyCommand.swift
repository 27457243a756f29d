import ArgumentParser
import Domain
import Glibc
import Store

/// A backup that a command is given.
struct BackupFileOptions: ParsableArguments {
    @Argument(help: "The backup.", completion: .file(extensions: ["ghb"]))
    var file: String

    @Option(
        help: ArgumentHelp("The file with its key, when it is encrypted.", valueName: "file"),
        completion: .file())
    var key: String?

    @Flag(help: "Print the manifest as JSON.")
    var json = false

    func loadKey() throws(BackupFailure) -> BackupKey? {
        guard let key else { return nil }
        return try BackupKey(file: key)
    }

    func show(_ manifest: BackupManifest, _ sentence: String) {
        guard json else { return print(sentence) }
        var writer = JSONWriter()
        manifest.write(into: &writer)
        print(String(decoding: writer.bytes, as: UTF8.self))
    }
}

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check all of a backup: every byte, and the store in it.",
        discussion: "The store is unpacked into $TMPDIR, or /var/tmp, and removed again.")

    @OptionGroup var backup: BackupFileOptions

    func run() async throws {
        try await orRefuse {
            umask(0o077)
            let key = try backup.loadKey()
            let bar = ProgressBar()
            defer { bar.clear() }
            let manifest = try BackupCheck.withScratch(in: Machine.scratch) { folder in
                try BackupCheck.unpack(backup.file, key: key, into: folder) { done, all in
                    bar.show("verifying", done, of: all)
                }
            }
            bar.clear()
            backup.show(
                manifest,
                "\(backup.file) is whole: made \(manifest.createdAt), \(manifest.rows) rows.")
        }
    }
}

struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Say what is in a backup; every byte of it is checked.")

    @OptionGroup var backup: BackupFileOptions

    func run() async throws {
        try await orRefuse {
            let key = try backup.loadKey()
            let bar = ProgressBar()
            defer { bar.clear() }
            let manifest = try BackupFile.read(backup.file, key: key) { done, all in
                bar.show("reading", done, of: all)
            }
            bar.clear()
            backup.show(manifest, Self.text(of: manifest))
        }
    }

    private static func text(of manifest: BackupManifest) -> String {
        let head = [
            "made       \(manifest.createdAt)",
            "by         gatehouse \(manifest.version), SQLite \(manifest.sqlite)",
            "schema     \(manifest.schema)",
            "encrypted  \(manifest.isEncrypted ? "yes" : "no")",
        ]
        let parts = manifest.parts.map { "part       \($0.name.rawValue), \($0.bytes) bytes" }
        let tables = manifest.tables.map { "rows       \($0.name) \($0.rows)" }
        return (head + parts + tables).joined(separator: "\n")
    }
}
