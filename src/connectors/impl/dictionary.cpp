#include "connectors/impl/dictionary.hpp"

#include <algorithm>
#include <array>

#include "content/name_key.hpp"
#include "model/entity.hpp"

namespace castiel::connectors::impl {
namespace {

using namespace model::type;

constexpr std::string_view kCreated =
    " createdat createddate createdate created createdon datecreated addtime creationdate createdtime "
    "organizationcreated "
    "personcreated ";
constexpr std::string_view kModified =
    " systemmodstamp hslastmodifieddate lastmodifieddate modifiedon donotmodifymodifiedon updatetime "
    "updatedat lastmodified "
    "modifieddate updated lastupdated datemodified modified modifiedat updateddate lastupdatedate "
    "lastmodifiedon ";
constexpr std::string_view kDeleted = " isdeleted archived deleted ";
constexpr std::string_view kOwnerId =
    " ownerid hubspotownerid owneridvalue ownerididvalue salesrepid useridvalue userid repid agentid ";
constexpr std::string_view kOwnerName =
    " owner ownername dealowner opportunityowner companyowner contactowner accountowner salesagent salesrep "
    "salesperson rep "
    "ownerfullname owneridname owneridformatted agent accountmanager accountexecutive assignedto responsible "
    "verantwortlich "
    "proprietaire propietario salesowner responsibleperson useridname ";
constexpr std::string_view kCurrency =
    " currencyisocode dealcurrencycode currency currencycode transactioncurrency "
    "transactioncurrencyidformatted "
    "opportunitycurrency amountcurrency isocurrencycode wahrung devise moneda defaultcurrencyisocode ";
constexpr std::string_view kDescription =
    " description dealdescription companydescription notes comment comments details beschreibung ";
constexpr std::string_view kAccountId =
    " accountid associatedcompanyids associatedcompanyid companyid orgidvalue orgid organizationid "
    "parentaccountidvalue "
    "customeridvalue parentcustomeridvalue primaryassociatedcompanyid hsprimaryassociatedcompany customerid "
    "clientid associatedcompanyidsprimary ";
constexpr std::string_view kAccountName =
    " accountname associatedcompany associatedcompanyprimary companyname company account customer client "
    "organization "
    "organisation organizationname orgidname orgname potentialcustomer parentaccount customername clientname "
    "customeridformatted parentaccountidformatted kunde firma societe cliente unternehmen ";
constexpr std::string_view kContactId =
    " contactid associatedcontactids associatedcontactid primarycontactid personidvalue personid "
    "parentcontactidvalue ";
constexpr std::string_view kContactName =
    " contactname associatedcontact contact contactperson personname person primarycontact personidname "
    "parentcontactidformatted ansprechpartner ";
constexpr std::string_view kCity = " billingcity mailingcity city address1city ort ville ciudad stadt town ";
constexpr std::string_view kCountry =
    " billingcountry mailingcountry country countryregion address1country officelocation location land pays "
    "pais addresscountry ";

constexpr std::array kAccount_{
    FieldKeys{"id", 0.3,
              " id accountid recordid companyid hsobjectid organizationid donotmodifyaccount organizationid "
              "orgid accountnumber "
              "customerid clientid "},
    FieldKeys{"createdAt", 0.1, kCreated},
    FieldKeys{"modifiedAt", 0.1, kModified},
    FieldKeys{"isDeleted", 0.1, kDeleted},
    FieldKeys{"name", 0.7,
              " name accountname companyname account company organization organisation organizationname "
              "customer customername client clientname firma firmenname kunde "
              "unternehmen societe empresa "},
    FieldKeys{"domain", 1.5, " domain companydomainname companydomain emaildomain "},
    FieldKeys{"website", 1.0, " website websiteurl web url webseite homepage siteweb "},
    FieldKeys{
        "industry", 2.0,
        " industry sector industrycode industrycodeformatted branche secteur sektor vertical industria "},
    FieldKeys{"type", 0.3,
              " type companytype relationshiptype accounttype customertype customertypecodeformatted label "},
    FieldKeys{"phone", 0.3, " phone phonenumber mainphone telephone1 telephone telefon "},
    FieldKeys{"employees", 2.0,
              " numberofemployees employees employeecount noofemployees headcount mitarbeiter employeenumber "
              "companysize effectif empleados "},
    FieldKeys{"annualRevenue", 2.0,
              " annualrevenue revenue yearlyrevenue turnover umsatz jahresumsatz chiffredaffaires sales "},
    FieldKeys{"currency", 0.2, kCurrency},
    FieldKeys{"yearFounded", 1.5,
              " yearfounded yearestablished founded foundedyear established yearstarted grundungsjahr "},
    FieldKeys{"street", 0.4,
              " billingstreet streetaddress address street address1line1 address1street1 strasse "
              "addressstreet address1 "},
    FieldKeys{"city", 0.3, kCity},
    FieldKeys{"region", 0.3,
              " billingstate billingstateprovince stateregion state region province address1stateprovince "
              "territory bundesland "},
    FieldKeys{"postalCode", 0.4,
              " billingpostalcode billingzippostalcode postalcode zip zipcode address1postalcode "
              "address1zippostalcode plz "},
    FieldKeys{"country", 0.4, kCountry},
    FieldKeys{"description", 0.1, kDescription},
    FieldKeys{"ownerId", 0.1, kOwnerId},
    FieldKeys{"ownerName", 0.1, kOwnerName},
    FieldKeys{"parentId", 0.8, " parentid parentaccountid parentaccountidvalue parentcompanyid "},
    FieldKeys{"parentName", 1.2,
              " parentname parentaccount parentcompany subsidiaryof parent parentaccountname konzern "},
};

constexpr std::array kContact_{
    FieldKeys{"id", 0.3, " id contactid recordid personid hsobjectid donotmodifycontact vid "},
    FieldKeys{"createdAt", 0.1, kCreated},
    FieldKeys{"modifiedAt", 0.1, kModified},
    FieldKeys{"isDeleted", 0.1, kDeleted},
    FieldKeys{"name", 0.5,
              " name fullname contactname contact contactperson person personname ansprechpartner "},
    FieldKeys{"firstName", 0.8, " firstname givenname vorname prenom nombre forename "},
    FieldKeys{"lastName", 1.0, " lastname surname familyname nachname nomdefamille apellido apellidos "},
    FieldKeys{"email", 1.0,
              " email emailaddress emailaddress1 emailwork emails mail emailadresse workemail primaryemail "
              "correo emailprimary "},
    FieldKeys{"phone", 0.3,
              " phone phonenumber businessphone telephone1 phonework phones telefon workphone "},
    FieldKeys{"mobilePhone", 1.0, " mobilephone mobile mobilephonenumber phonemobile cell cellphone handy "},
    FieldKeys{"title", 1.0, " title jobtitle position role funktion poste cargo "},
    FieldKeys{"department", 0.5, " department abteilung "},
    FieldKeys{"description", 0.1, kDescription},
    FieldKeys{"city", 0.2, kCity},
    FieldKeys{"country", 0.2, kCountry},
    FieldKeys{"accountId", 0.6, kAccountId},
    FieldKeys{"accountName", 0.6, kAccountName},
    FieldKeys{"ownerId", 0.1, kOwnerId},
    FieldKeys{"ownerName", 0.1, kOwnerName},
    FieldKeys{"reportsToId", 1.0, " reportstoid "},
    FieldKeys{"leadSource", 0.3,
              " leadsource originalsource originalsourcetype source leadquelle hsanalyticssource "},
};

constexpr std::array kOpportunity_{
    FieldKeys{"id", 0.3,
              " id opportunityid recordid dealid hsobjectid donotmodifyopportunity dealnumber "
              "opportunitynumber oppid "},
    FieldKeys{"modifiedAt", 0.1, kModified},
    FieldKeys{"isDeleted", 0.1, kDeleted},
    FieldKeys{"name", 0.5,
              " name opportunityname dealname title topic dealtitle opportunity deal subject bezeichnung "},
    FieldKeys{"amount", 1.5,
              " amount estimatedvalue estrevenue estimatedrevenue value dealvalue dealamount closevalue "
              "actualvalue actualrevenue amountincompanycurrency "
              "totalamount total tcv acv arr revenue price betrag auftragswert montant importe wert umsatz "
              "expectedrevenue "},
    FieldKeys{"currency", 0.3, kCurrency},
    FieldKeys{"stage", 2.0,
              " stage stagename dealstage opportunitystage salesstage stepname pipelinephase pipelinestage "
              "salesstageformatted "
              "stageid phase etape etapa stufe verkaufsphase "},
    FieldKeys{"status", 1.0,
              " status statecodeformatted dealstatus opportunitystatus statecode state outcome "},
    FieldKeys{"isClosed", 1.0, " isclosed hsisclosed closed "},
    FieldKeys{"isWon", 1.0, " iswon isclosedwon hsisclosedwon won "},
    FieldKeys{"pipeline", 1.0, " pipeline pipelinename pipelineid "},
    FieldKeys{"probability", 1.5,
              " probability hsdealstageprobability closeprobability dealprobability winprobability "
              "probabilitypercent "
              "wahrscheinlichkeit probabilite chance "},
    FieldKeys{"createdDate", 0.3,
              " createddate createdate createdat createdon created addtime dealcreated datecreated "
              "engagedate opendate "
              "creationdate startdate erstelltam opportunitycreated "},
    FieldKeys{"closeDate", 2.0,
              " closedate expectedclosedate estclosedate estimatedclosedate closingdate actualclosedate "
              "dealclosedate "
              "abschlussdatum schlussdatum datecloture fechadecierre expectedclose closed closedon closetime "
              "localclosedate wontime "},
    FieldKeys{"lastActivityDate", 0.5,
              " lastactivitydate lastactivity notaslastupdated noteslastupdated lastcontacted "
              "notaslastcontacted noteslastcontacted "},
    FieldKeys{"lastStageChangeAt", 0.8,
              " laststagechangedate stagechangetime laststagechange stageentereddate laststagechangeat "},
    FieldKeys{"type", 0.2, " type dealtype opportunitytype "},
    FieldKeys{"leadSource", 0.4,
              " leadsource originalsource originalsourcetype source leadquelle hsanalyticssource origin "},
    FieldKeys{"forecastCategory", 1.5,
              " forecastcategoryname forecastcategory hsforecastcategory msdynforecastcategoryformatted "},
    FieldKeys{"nextStep", 1.0, " nextstep hsnextstep nextsteps nachsterschritt "},
    FieldKeys{
        "lostReason", 1.0,
        " lostreason closedlostreason lossreason reasonlost hsclosedlostreason verlustgrund reasonforloss "},
    FieldKeys{"description", 0.1, kDescription},
    FieldKeys{"accountId", 0.6, kAccountId},
    FieldKeys{"accountName", 0.6, kAccountName},
    FieldKeys{"contactId", 0.3, kContactId},
    FieldKeys{"contactName", 0.3, kContactName},
    FieldKeys{"ownerId", 0.2, kOwnerId},
    FieldKeys{"ownerName", 0.2, kOwnerName},
    FieldKeys{"productId", 0.2, " productid "},
    FieldKeys{"productName", 0.3, " product productname produkt produit "},
    FieldKeys{"quantity", 0.2, " quantity totalopportunityquantity qty menge "},
};

constexpr std::array kProduct_{
    FieldKeys{"id", 0.3, " id productid recordid hsobjectid donotmodifyproduct "},
    FieldKeys{"createdAt", 0.1, kCreated},
    FieldKeys{"modifiedAt", 0.1, kModified},
    FieldKeys{"isDeleted", 0.1, kDeleted},
    FieldKeys{"name", 0.5, " name productname product item produkt produit "},
    FieldKeys{"code", 1.5, " productcode sku code hssku productnumber artikelnummer itemnumber "},
    FieldKeys{"family", 1.5,
              " family productfamily series category productcategory produktgruppe productline "},
    FieldKeys{"price", 2.0, " price salesprice unitprice listprice preis prix precio standardprice "},
    FieldKeys{"currency", 0.2, kCurrency},
    FieldKeys{"isActive", 0.5, " isactive active activeflag "},
    FieldKeys{"description", 0.1, kDescription},
};

constexpr std::array kUser_{
    FieldKeys{"id", 0.3,
              " id userid recordid ownerid hubspotownerid systemuserid agentid hsobjectid donotmodifyuser "},
    FieldKeys{"createdAt", 0.1, kCreated},
    FieldKeys{"modifiedAt", 0.1, kModified},
    FieldKeys{"name", 0.5,
              " name fullname username user salesagent salesrep salesperson owner ownername agent rep "
              "employee mitarbeiter "},
    FieldKeys{"firstName", 0.6, " firstname givenname vorname prenom "},
    FieldKeys{"lastName", 0.6, " lastname surname familyname nachname "},
    FieldKeys{"email", 0.7,
              " email emailaddress internalemailaddress primaryemail useremail mail domainname "},
    FieldKeys{"title", 0.4, " title jobtitle role position "},
    FieldKeys{"team", 1.5,
              " team mainteam primaryteam teamname salesteam regionaloffice office department division "},
    FieldKeys{"region", 0.5, " region territory location country "},
    FieldKeys{"managerId", 1.5, " managerid parentsystemuseridvalue supervisorid "},
    FieldKeys{"managerName", 1.5,
              " manager managername reportsto salesmanager supervisor vorgesetzter teamlead "},
    FieldKeys{"isActive", 1.0, " isactive active activeflag enabled "},
};

constexpr std::array kContactRole_{
    FieldKeys{"id", 0.3, " id recordid "},
    FieldKeys{"createdAt", 0.1, kCreated},
    FieldKeys{"modifiedAt", 0.1, kModified},
    FieldKeys{"isDeleted", 0.1, kDeleted},
    FieldKeys{"opportunityId", 1.5, " opportunityid dealid associateddealids "},
    FieldKeys{"opportunityName", 1.0, " opportunityname dealname opportunity deal "},
    FieldKeys{"contactId", 1.5, " contactid personid "},
    FieldKeys{"contactName", 1.0, " contactname contact person contactperson "},
    FieldKeys{"role", 2.0, " role contactrole buyingrole rolle "},
    FieldKeys{"isPrimary", 1.5, " isprimary primary "},
};

constexpr std::array kChange_{
    FieldKeys{"id", 0.2, " id historyid "},
    FieldKeys{"isDeleted", 0.1, kDeleted},
    FieldKeys{"opportunityId", 1.0, " opportunityid dealid recordid hsobjectid objectid parentid "},
    FieldKeys{"opportunityName", 0.5, " opportunityname dealname opportunity deal "},
    FieldKeys{"field", 1.5, " field fieldname property propertyname fieldevent changedfield attribute feld "},
    FieldKeys{"oldValue", 3.0, " oldvalue previousvalue from fromvalue valuebefore old previous alterwert "},
    FieldKeys{"newValue", 3.0, " newvalue value to tovalue valueafter new current neuerwert "},
    FieldKeys{"changedAt", 1.0,
              " changedat editdate changedate createddate timestamp lastmodified date changetime changedon "
              "timeofchange updatedat modifiedon systemmodstamp "},
    FieldKeys{"changedBy", 1.0,
              " changedby editedby createdbyid createdby modifiedby user author sourceid updatedby "
              "lastmodifiedby "},
    FieldKeys{"stage", 0.5, " stagename stage tostage dealstage "},
    FieldKeys{"amount", 0.3, " amount "},
    FieldKeys{"closeDate", 0.3, " closedate "},
    FieldKeys{"probability", 0.3, " probability "},
};

constexpr std::array kDictionary{
    EntityKeys{kOpportunityChange, kChange_, " opportunity deal change ",
               " opportunityfieldhistory opportunityhistory history changes propertyhistory audit "
               "dealhistory stagehistory verlauf ",
               " previousvalue oldvalue newvalue "},
    EntityKeys{kContactRole, kContactRole_, " contact ",
               " opportunitycontactrole contactrole roles contactroles ", " "},
    EntityKeys{kOpportunity, kOpportunity_, " deal opportunity opp ",
               " opportunity opportunities deal deals pipeline opps chancen salespipeline ",
               " dealname opportunityname stagename dealstage dealtitle estrevenue estimatedvalue "
               "expectedclosedate opportunityowner "
               "dealowner donotmodifyopportunity "},
    EntityKeys{kAccount, kAccount_, " account company organization organisation customer client ",
               " account accounts company companies organization organizations organisations customers "
               "clients kunden firmen ",
               " companydomainname companyowner accountowner donotmodifyaccount numberofemployees "
               "numberofassociateddeals "},
    EntityKeys{
        kContact, kContact_, " contact person ", " contact contacts person persons people kontakte leads ",
        " contactowner lifecyclestage reportstoid donotmodifycontact emailaddress1 mailingcity salutation "},
    EntityKeys{kUser, kUser_, " user ",
               " user users salesteams salesteam team teams owners reps agents salesreps employees ",
               " userroleid timezonesidkey profileid mainteam additionalteams systemuserid managerid "},
    EntityKeys{kProduct, kProduct_, " product item ",
               " product product2 products catalog catalogue items pricelist produkte ",
               " productcode sku productfamily "},
};

}  // namespace

std::span<const EntityKeys> dictionary() {
  return kDictionary;
}

const EntityKeys* find_entity_keys(std::string_view entity) {
  const auto it = std::ranges::find(kDictionary, entity, &EntityKeys::entity);
  return it == kDictionary.end() ? nullptr : &*it;
}

int key_rank(std::string_view keys, std::string_view key) {
  if (key.empty()) return -1;
  int rank = 0;
  for (std::size_t i = 0; i < keys.size();) {
    if (keys[i] == ' ') {
      ++i;
      continue;
    }
    const std::size_t end = std::min(keys.find(' ', i), keys.size());
    if (keys.substr(i, end - i) == key) return rank;
    ++rank;
    i = end;
  }
  return -1;
}

std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool upper = c >= 'A' && c <= 'Z';
    const bool after_small = i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if (c == ' ' || c == '_' || c == '-' || c == '.' || c == '/' || (upper && after_small)) {
      if (!words.back().empty()) words.emplace_back();
      if (!upper) continue;
    }
    words.back().push_back(upper ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return words;
}

double file_name_score(std::string_view file, const EntityKeys& keys) {
  std::string_view name = file.substr(file.rfind('/') + 1);
  name = name.substr(0, name.find('.'));
  if (key_rank(keys.file_words, content::name_key(name)) >= 0) return 3;
  const auto words = words_of(name);
  double best = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (key_rank(keys.file_words, words[i]) >= 0) best = std::max(best, 2.0);
    if (i + 1 < words.size() && key_rank(keys.file_words, words[i] + words[i + 1]) >= 0)
      best = std::max(best, 3.0);
  }
  return best;
}

}  // namespace castiel::connectors::impl
