import ArgumentParser
import Domain
import Store

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Manage the keys that sign access tokens.",
        subcommands: [Rotate.self])

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
                    let ring = try KeyRing(
                        path: configuration.dataDirectory + "/signing-keys.json",
                        algorithm: configuration.auth.algorithm,
                        tokenTTL: configuration.auth.accessTokenTTL, now: now)
                    try ring.rotate(at: now)
                }
                print("A new key signs from now on.")
            }
        }
    }
}
