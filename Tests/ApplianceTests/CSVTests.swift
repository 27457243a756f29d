import Testing

@testable import Appliance

@Suite("CSV")
struct CSVTests {
    @Test(
        "a cell is quoted where RFC 4180 asks for it, and never a formula",
        arguments: [
            ("plain", "plain"), ("", ""), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""), ("a\rb", "\"a\rb\""), ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'\t=1\""), ("\r=1", "\"'\r=1\""), ("\u{7F}=1", "'\u{7F}=1"),
            ("\u{85}=1", "'\u{85}=1"), ("＝1", "'＝1"), ("=a,\"b", "\"'=a,\"\"b\""),
            // A mark on the sign makes it another character to Swift, and none to a spreadsheet.
            ("=\u{301}1", "'=\u{301}1"), ("a=1", "a=1"), ("Zoë", "Zoë"), (" =1", " =1"),
        ])
    func cells(value: String, expected: String) {
        #expect(CSV.cell(value).unicodeScalars.elementsEqual(expected.unicodeScalars))
    }
}
