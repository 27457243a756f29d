extension Migration {
    /// Runs of wrong guesses stay until they end, so the age of a row no longer says that it may
    /// go. docs/data.md explains it.
    static let guessRuns = Migration(
        name: "guess runs",
        statements: [
            """
            UPDATE rate_states SET subject = 'guesses'
            WHERE subject = 'throttle'
                AND (name LIKE 'login:%' OR name LIKE 'password:%' OR name LIKE 'otp:%')
            """,
            "DROP INDEX rate_states_by_age",
            """
            CREATE INDEX rate_states_by_age ON rate_states (updated_at)
                WHERE subject <> 'guesses' OR backlog = '0'
            """,
            """
            CREATE INDEX guess_runs
                ON rate_states (subject, length(backlog), backlog, updated_at, name)
                WHERE subject = 'guesses' AND backlog <> '0'
            """,
        ])
}
