import Domain

extension Connection {
    package var auditNotes: AuditNotes { AuditNotes(db: self) }
}

/// What was done to a store that nobody served: a backup, a restore, a migration. The audit log is
/// written by the version that serves it, in the form of that version's schema, so a command leaves
/// a note in the `installation` table, which every schema has, and the next start enters it.
package struct AuditNotes {
    let db: any Connection

    private static let name = "audit_notes"
    /// What a store that is backed up by the hour and never started keeps: 40 days of it.
    private static let most = 1000

    package func add(_ event: AuditEvent, at now: Timestamp) throws(Problem) {
        var notes = try read()
        notes.append(
            .object([
                JSON.Member("at", .integer(now.milliseconds)),
                JSON.Member("action", .string(event.action)),
                JSON.Member("actor", .string(event.actor.text)),
                JSON.Member("target", .string(event.target)),
                JSON.Member("meta", event.meta),
            ]))
        try db.installation.set(Self.name, JSON.array(notes.suffix(Self.most)).encoded)
    }

    /// Enters the notes in the audit log, in the order they were made, and takes them away.
    ///
    /// - Returns: the actions that were noted.
    package func enter() throws(Problem) -> [String] {
        let notes = try read()
        guard !notes.isEmpty else { return [] }
        var actions: [String] = []
        for note in notes {
            guard case .integer(let at)? = note["at"], case .string(let action)? = note["action"],
                case .string(let actor)? = note["actor"],
                case .string(let target)? = note["target"]
            else { throw .internal(cause: "installation.\(Self.name) has a note that is not one") }
            try db.audit.append(
                AuditEvent(
                    action: action,
                    actor: actor == AuditEvent.Actor.shell.text ? .shell : .system,
                    target: target, meta: note["meta"] ?? .object([])),
                at: Timestamp(milliseconds: at))
            actions.append(action)
        }
        try db.execute("DELETE FROM installation WHERE name = \(Self.name)")
        return actions
    }

    private func read() throws(Problem) -> [JSON] {
        guard let text = try db.installation.value(Self.name) else { return [] }
        do throws(JSONParser.Failure) {
            guard case .array(let notes) = try JSONParser.parse(Array(text.utf8)) else { return [] }
            return notes
        } catch {
            throw .internal(cause: "installation.\(Self.name): \(error.reason)")
        }
    }
}
