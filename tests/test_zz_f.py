from tests.warehouse.test_redshift_checksum import *
pytest_plugins = ("tests.nights",)
@pytest.mark.engines("redshift")
def test_x(shop, warehouse):
    shop.execute("CREATE TABLE t (a VARCHAR(700) PRIMARY KEY, b VARCHAR(9000), c TINYTEXT, d DOUBLE)")
    shop.execute("INSERT INTO t VALUES ('x ', 'é', '', 1), ('y', 'z', NULL, 2)")
    mirrored()
    print("FOUND", warehouse.query("SELECT * FROM raw.t"))
