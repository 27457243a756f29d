import Domain
import Store
import Support

@testable import Appliance

/// Where nodes keep their signing keys: a store of its own, and what the keys are sealed under.
struct KeyHouse {
    let folder: TemporaryFolder
    let store: SQLiteStore
    let seal: SealingKeys

    init(at now: Timestamp) throws {
        folder = try TemporaryFolder()
        store = try SQLiteStore(file: folder.path + "/gatehouse.db")
        seal = try SealingKeys(path: folder.path + "/seal.json", now: now)
    }

    /// A node's ring over the store's row.
    ///
    /// - Parameter former: the file that the node had its keys in before.
    func ring(
        former: String, _ algorithm: SigningAlgorithm = .edDSA, seal: SealingKeys? = nil
    ) -> KeyRing {
        KeyRing(
            row: SigningKeyRow(
                store: store, seal: seal ?? self.seal, former: SigningKeyFile(path: former)),
            algorithm: algorithm, tokenTTL: .seconds(900))
    }

    func done() {
        store.close()
        withExtendedLifetime(folder) {}
    }
}
