CREATE TABLE items (key TEXT PRIMARY KEY, value TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO items VALUES('audit/7ff99e9310ad628c-be751d68','who=root
node=0
command=block lift
kind=
name=203.0.113.7
after=203.0.113.7 may connect again.
',25,1830530359795072);
INSERT INTO items VALUES('audit/7ff99e9310b1e82c-72425a49','who=root
node=0
command=account set
kind=account
name=@example.net
customer=acme
domain=example.net
options=enabled reason
before=
after=enabled=no reason=ticket 812
',22,1830530359498733);
INSERT INTO items VALUES('directory/account/@example.net','customer=acme
domain=example.net
enabled=no
password=$y$j9T$eiKcBxH4is7eSBl7EVfOv/$bEISYiOHv.6xrZXyGp8cliV6mBVBgHRID7cXSyllOk5
reason=ticket 812
type=any
',21,9223372036854775807);
INSERT INTO items VALUES('directory/account/user@example.net','bcc-mirror.bcc=archive@far.example second@far.example
customer=acme
domain=example.net
ipfilter.ipv4=127.0.0.0/8
limits.messages=200/1h 1000/1d
on-refusal=defer
password=$y$j9T$tIp6XCiptwyguXJKCR6dF1$Oq4AXB4c9qPpYhQgzJHBk2pCPw7fg7IkFMXgVLlDou2
type=single
',19,9223372036854775807);
INSERT INTO items VALUES('directory/customer/acme','alert=noc@acme.example
level=standard
postmaster=pm@acme.example
primary=it@acme.example
',7,9223372036854775807);
INSERT INTO items VALUES('directory/domain/example.net','customer=acme
mode=outbound-only
',3,9223372036854775807);
INSERT INTO items VALUES('directory/domain/hosted.example','customer=acme
mode=hosted
',9,9223372036854775807);
INSERT INTO items VALUES('directory/domain/moving.example','customer=acme
iphelper.host=host.dyn.example
iphelper.port=2525
mode=hold
',13,9223372036854775807);
INSERT INTO items VALUES('directory/domain/shop.example','customer=acme
destination=192.0.2.7
mode=redirect
on-missing-host=hold
port=2525
',11,9223372036854775807);
INSERT INTO items VALUES('directory/recipient/box@hosted.example','customer=acme
domain=hosted.example
',15,9223372036854775807);
INSERT INTO meta VALUES('version',25);
PRAGMA application_id = 1349807699;
PRAGMA user_version = 1;
