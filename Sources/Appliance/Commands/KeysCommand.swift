import ArgumentParser
import Domain
import Glibc
import Store

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Manage the keys that sign access tokens, and what seals.",
        subcommands: [Rotate.self, MakeSealingKey.self])

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign with a new key; tokens of the old one run out in the ordinary way.")

        @OptionGroup var installation: InstallationOptions

        func run() async throws {
            try await orRefuse {
                let configuration = try installation.configuration()
                let control = ControlClient(
                    path: ControlListener.path(in: configuration.dataDirectory))
                if let answer = control.post("/control/keys/rotate", .object([])) {
                    guard answer.status == 204 else {
                        throw CommandRefusal(.failed, "The daemon answered \(answer.status).")
                    }
                } else {
                    // Holding the store keeps a daemon from starting in between.
                    let store = try configuration.openStore()
                    defer { store.close() }
                    let now = WallClock.system.now()
                    let ring = try configuration.keyRing(
                        store, configuration.sealingKeys(at: now), at: now)
                    try await ring.rotate(by: .shell, at: now)
                }
                print(
                    configuration.isShared
                        ? "A new key signs in \(DurationText.show(KeyRing.lead)), when every node "
                            + "knows it."
                        : "A new key signs from now on.")
            }
        }
    }

    struct MakeSealingKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "make-sealing-key",
            abstract: "Make the file that several nodes of one store need a copy of each.",
            discussion: """
                Where one process has the store for itself the first start makes it. One that is \
                there already is never replaced.
                """)

        @OptionGroup var installation: InstallationOptions

        @Argument(
            help: ArgumentHelp(
                "The file (default: auth.sealing_keys_file, or sealing-keys.json in the data "
                    + "directory).", valueName: "file"), completion: .file())
        var file: String?

        func run() async throws {
            try await orRefuse {
                umask(0o077)
                let configuration = try installation.configuration()
                let path = file ?? configuration.sealingKeysFile
                guard !SafeFile.exists(path) else {
                    throw CommandRefusal(
                        .cannotCreate, "\(path) is there already: what it sealed needs it.")
                }
                if file == nil { try SafeFile.makeDirectory(configuration.dataDirectory) }
                do throws(Problem) {
                    try SealingKeys.make(path, at: WallClock.system.now())
                } catch {
                    throw CommandRefusal(.cannotCreate, error.cause ?? error.detail)
                }
                print("Made \(path). Keep a copy elsewhere: without it one-time codes are lost.")
            }
        }
    }
}
