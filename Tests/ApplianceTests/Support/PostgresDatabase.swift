import Domain
import Glibc
import Support

@testable import Store

/// Databases on the PostgreSQL server beside the tests (tools/with-postgres).
enum PostgresDatabase {
    /// As StoreTests' `Engine.wanted`.
    static var isWanted: Bool {
        guard let names = getenv("GATEHOUSE_TEST_ENGINES") else { return true }
        return String(cString: names).split(separator: ",").contains("postgres")
    }

    /// The URL of a new one without anything in it.
    static func make() throws -> String {
        guard let url = getenv("GATEHOUSE_TEST_POSTGRES").map({ String(cString: $0) }),
            let slash = url.lastIndex(of: "/")
        else {
            throw TemporaryFolder.Failure(
                what: "There is no PostgreSQL server; run the tests through tools/with-postgres.")
        }
        var random = SystemRandomNumberGenerator()
        let name = "appliance_\(random.next() as UInt64)"
        let connection = try PostgresConnection(PostgresOptions(url: url))
        try connection.run(SQL(stringLiteral: "CREATE DATABASE \(name)"))
        return url[...slash] + name
    }
}
