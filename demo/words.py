"""The words the made-up business is written in, and the text that breaks careless programs."""

import itertools
import json

# Text that somebody has typed into a form somewhere. Each piece breaks another shortcut: COPY's own tokens,
# CSV quoting, line splitting, NULL guessed from emptiness, numbers guessed from digits, 3-byte UTF-8.
DIRT = (
    "\\N",
    "\\.",
    "",
    "NULL",
    'Ann "The Voice" Lee',
    "Smith, John",
    "two\nlines",
    "windows\r\nlines",
    "tab\there",
    "C:\\temp\\new",
    "ends in a backslash\\",
    "it's",
    "Robert'); DROP TABLE users;--",
    '"',
    "  padded  ",
    "00042",
    "1e5",
    "🎟️🔥",
    "👩‍👩‍👧‍👦 family",
    "مريم الزهراء",
    "李小龍",
    "Zoë Ångström",
    "e\u0301 decomposed",
    "\ufeffafter a byte order mark",
    "line\u2028separator",
    "<b>bold</b> & {brace} %s $1",
)

FIRST = (
    "Ana", "Ben", "Chloe", "David", "Emma", "Farid", "Grace", "Hugo", "Ines", "Jamal", "Keiko", "Liam", "Maria",
    "Noah", "Olga", "Priya", "Quinn", "Rosa", "Sam", "Tara", "Umar", "Vera", "Will", "Ximena", "Yusuf", "Zoe",
)  # fmt: skip
LAST = (
    "Adams", "Becker", "Costa", "Dubois", "Evans", "Ferrari", "Garcia", "Haddad", "Ivanova", "Jones", "Kim", "Lopez",
    "Martin", "Nguyen", "O'Brien", "Patel", "Quist", "Rossi", "Silva", "Tanaka", "Ueda", "Vargas", "Wong", "Young",
)  # fmt: skip
ABROAD = (
    "Łukasz Żółkiewski",
    "Зоя Космодемьянская",
    "山田 太郎",
    "김민준",
    "Αλέξανδρος Παππάς",
    "नेहा शर्मा",
    "José Peña",
)
MAILBOXES = ("example.com", "example.org", "example.net")

# city, state, country, latitude, longitude, share of the audience
CITIES = (
    ("New York", "NY", "US", 40.7128, -74.006, 18),
    ("Los Angeles", "CA", "US", 34.0522, -118.2437, 14),
    ("Chicago", "IL", "US", 41.8781, -87.6298, 10),
    ("Boston", "MA", "US", 42.3601, -71.0589, 7),
    ("Austin", "TX", "US", 30.2672, -97.7431, 6),
    ("Denver", "CO", "US", 39.7392, -104.9903, 5),
    ("Coeur d'Alene", "ID", "US", 47.6777, -116.7805, 1),
    ("Toronto", "ON", "CA", 43.6532, -79.3832, 6),
    ("Montréal", "QC", "CA", 45.5019, -73.5674, 4),
    ("Ciudad de México", "CMX", "MX", 19.4326, -99.1332, 4),
    ("São Paulo", "SP", "BR", -23.5505, -46.6333, 3),
    ("London", None, "GB", 51.5074, -0.1278, 8),
    ("Zürich", "ZH", "CH", 47.3769, 8.5417, 2),
    ("Kraków", None, "PL", 50.0647, 19.945, 2),
    ("Αθήνα", None, "GR", 37.9838, 23.7275, 1),
    ("東京", None, "JP", 35.6762, 139.6503, 3),
    ("Washington, D.C.", "DC", "US", 38.9072, -77.0369, 4),
)

VENUE_OWNERS = ("Riverside", "Grand", "Union", "Mercury", "Liberty", "Harbor", "Old Mill", "St. Mark's", "Pioneer")
VENUE_KINDS = ("Arena", "Theatre", "Stadium", "Hall", "Ballroom", "Amphitheater", "Club", "Field")

# category, share of the events, usual price in cents
CATEGORIES = (
    ("concert", 34, 7500),
    ("mlb", 16, 4200),
    ("nba", 12, 9000),
    ("nhl", 9, 8000),
    ("nfl", 5, 16000),
    ("theater", 12, 9500),
    ("comedy", 8, 4500),
    ("festival", 4, 14000),
)
LEAGUES = frozenset({"mlb", "nba", "nhl", "nfl"})
TEAMS = ("Comets", "Harbormen", "Ironsides", "Larks", "Mavens", "Night Owls", "Otters", "Pilots", "Rangers", "Sabres")
ACTS = tuple(
    f"{first} {second}"
    for first, second in itertools.product(
        ("The Velvet", "Broken", "Neon", "Midnight", "Saint", "Paper", "Électric", "Los", "DJ", "Little"),
        ("Foxes", "Machines", "Harbor", "Parade", "Cosmos", "Señores", "Arcade", "Thunder"),
    )
)
SHOWS = ("The Glass Orchard", "Twelve Doors", "A Winter's Tailor", "Hamlet, Again", 'The "Honest" Thief')
TOURS = ("World Tour", "Unplugged", "Farewell (Again)", "One Night Only", "Live & Loud")
TITLE_DIRT = (
    'Neon Cosmos: "One Night Only"',
    "Los Señores 🎸🔥 Live",
    "Rescheduled:\nPaper Parade",
    "初音ミク LIVE",
    "50% off, today only\t(matinée)",
    "Back\\slash & the 'Quotes'",
    "\\N",
    "",
)

# section, share of the offers, price against the usual
SECTIONS = (
    ("Upper Level", 30, 0.6),
    ("Lower Bowl", 26, 1.3),
    ("General Admission", 18, 0.9),
    ("Balcony", 10, 0.7),
    ("Club", 8, 1.8),
    ("Floor", 6, 2.4),
    ("Suite 🥂", 2, 4.0),
)
ROWS = (*"ABCDEFGHJKLMNPQ", "AA", "BB", "1", "2", "12", "007", "GA", "W/C")
# MySQL gives a SET back in the order of its definition, so it is written in that order.
DELIVERIES = ("mobile", "mobile,paper", "paper", "will_call", "mobile,will_call", "mobile,paper,will_call", "")

NOTES = (
    "gift, do not email",
    "call before delivery",
    "wheelchair access please ♿",
    "buyer wrote:\n\n> can't come\n> please refund",
    'asked for "aisle" seats',
    "path C:\\orders\\2",
    "VIP 🎉",
    *DIRT,
)
ATTRIBUTES = (
    "{}",
    "null",
    "[]",
    '{"big": 12345678901234567890, "small": 0.1}',
    json.dumps({"gift": {"to": 'Ann "A." Lee', "text": "happy\nbirthday 🎂 \\N"}}, ensure_ascii=False),
    *(
        json.dumps({"device": device, "app": app, "promo": promo, "seats": [seat, seat + 1]}, ensure_ascii=False)
        for device, app, promo, seat in itertools.product(
            ("ios", "android", "web"), ("7.1", "7.2.0-β"), (None, "SPRING10", "naïve"), (1, 14)
        )
    ),
)

SEARCH_FORMS = ("{act}", "{act} tickets", "tickets near {city}", "{act} {city}", "cheap {act}", "{city} this weekend")
SEARCH_DIRT = (
    "🎸",
    'best "front row"',
    "pasted\nfrom a page",
    "嵐 チケット",
    "AC/DC",
    "a AND (b OR",
    "\\N",
    "",
    "Beyoncé 🐝",
)

# The sender of a campaign's e-mails names it, and names it as people do.
CAMPAIGNS = (
    "weekly_picks",
    "price_drop",
    "season_opener",
    "win-back",
    'Summer, "last chance" 🎟️',
    "Été à Montréal",
    "Weekend picks\n(resend)",
)
