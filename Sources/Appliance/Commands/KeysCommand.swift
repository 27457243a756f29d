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
                    try await ring.rotate(at: now)
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
                It is the data directory's sealing-keys.json, or what auth.sealing_keys_file names. \
                Where one process has the store for itself it is made at the first start.
                """)

        @Argument(
            help: ArgumentHelp("The file, which must not be there yet.", valueName: "file"),
            completion: .file())
        var file: String

        func run() async throws {
            try await orRefuse {
                umask(0o077)
                guard !SafeFile.exists(file) else {
                    throw CommandRefusal(
                        .cannotCreate, "\(file) is there already: what it sealed needs it.")
                }
                try SealingKeys.make(file, at: WallClock.system.now())
                print("Made \(file). Keep a copy elsewhere; without it one-time codes are lost.")
            }
        }
    }
}
