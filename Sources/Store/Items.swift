import Domain

extension Connection {
    package var items: Items { Items(db: self) }
}

/// The `items` table.
package struct Items {
    let db: any Connection

    private static let columns: StaticString =
        "id, user_id, name, data_json, created_at, updated_at"

    private static func decode(_ row: inout Row) throws(Problem) -> Item {
        Item(
            id: try row.id(), userID: try row.id(), name: try row.text(), data: try row.json(),
            createdAt: try row.timestamp(), updatedAt: try row.timestamp())
    }

    package func insert(_ item: Item) throws(Problem) {
        try db.execute(
            """
            INSERT INTO items (id, user_id, name, data_json, created_at, updated_at)
            VALUES (\(item.id), \(item.userID), \(item.name), \(item.data), \(item.createdAt),
                \(item.updatedAt))
            """)
    }

    package func update(_ item: Item) throws(Problem) {
        try db.execute(
            """
            UPDATE items SET name = \(item.name), data_json = \(item.data),
                updated_at = \(item.updatedAt)
            WHERE id = \(item.id) AND user_id = \(item.userID)
            """)
    }

    package func find(_ id: ItemID, of user: UserID) throws(Problem) -> Item? {
        try db.first(
            "SELECT \(raw: Self.columns) FROM items WHERE id = \(id) AND user_id = \(user)"
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package func delete(_ id: ItemID, of user: UserID) throws(Problem) -> Bool {
        try db.execute("DELETE FROM items WHERE id = \(id) AND user_id = \(user)") == 1
    }

    package func list(of user: UserID, _ page: Page) throws(Problem) -> [Item] {
        try db.rows(
            """
            SELECT \(raw: Self.columns) FROM items
            WHERE user_id = \(user) AND id < \(page.bound) ORDER BY id DESC LIMIT \(page.limit)
            """
        ) { row throws(Problem) in try Self.decode(&row) }
    }

    package func count(of user: UserID) throws(Problem) -> Int64 {
        try db.count("SELECT count(*) FROM items WHERE user_id = \(user)")
    }
}
