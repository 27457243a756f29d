import Domain
import Glibc

@testable import Store

/// Databases on the PostgreSQL server beside the tests (tools/with-postgres).
package enum PostgresDatabase {
    package struct Absent: Error, CustomStringConvertible {
        package let description =
            "There is no PostgreSQL server for the tests. Run them through tools/with-postgres, "
            + "or on SQLite alone with GATEHOUSE_TEST_ENGINES=sqlite."

        package init() {}
    }

    /// GATEHOUSE_TEST_ENGINES=sqlite spares a developer the server; nothing else does.
    package static var isWanted: Bool {
        guard let names = getenv("GATEHOUSE_TEST_ENGINES") else { return true }
        return String(cString: names).split(separator: ",").contains("postgres")
    }

    /// Of the database that the server begins with.
    package static func server() throws -> String {
        guard let url = getenv("GATEHOUSE_TEST_POSTGRES") else { throw Absent() }
        return String(cString: url)
    }

    /// The URL of a new one without anything in it.
    package static func make() throws -> String {
        let url = try server()
        guard let slash = url.lastIndex(of: "/") else { throw Absent() }
        var random = SystemRandomNumberGenerator()
        let name = "test_\(random.next() as UInt64)"
        let connection = try PostgresConnection(PostgresOptions(url: url))
        try connection.run(SQL(stringLiteral: "CREATE DATABASE \(name)"))
        return url[...slash] + name
    }
}
